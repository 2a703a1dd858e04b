// What a visitor can do on a page, as the page is now: asked by the crawl of step 10, installed before any script runs.
(() => {
  const ACTS = new Set(["click", "dblclick", "mousedown", "mouseup", "pointerdown", "pointerup", "touchstart", "touchend"]);
  const CHANGES = new Set(["change", "input", "click"]);
  const PLAIN = "a[href], area[href], button, summary, [onclick], input[type=submit], input[type=button], input[type=image]";
  const ROLES = ["button", "link", "tab", "menuitem", "menuitemcheckbox", "menuitemradio", "switch", "checkbox", "option"];
  const OFFERED = [PLAIN, ...ROLES.map((role) => `[role=${role}]`)].join(", ");
  const FIELDS = "input, select, textarea";

  const listened = new WeakMap();
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    if (this instanceof Element && listener) {
      if (!listened.has(this)) listened.set(this, new Set());
      listened.get(this).add(type);
    }
    return add.call(this, type, listener, options);
  };

  const hears = (element, types) => [...types].some((type) => listened.get(element)?.has(type));
  const property = (element, names) => {
    const key = Object.keys(element).find((each) => each.startsWith("__reactProps$"));
    return names.some((name) => typeof element["on" + name.toLowerCase()] === "function" || (key && element[key]["on" + name]));
  };

  function* everything(root) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      if (element.shadowRoot) yield* everything(element.shadowRoot);
    }
  }

  /** Whether it looks as if it could be clicked where its surroundings do not. */
  const points = (element) =>
    getComputedStyle(element).cursor === "pointer" &&
    !(element.parentElement && getComputedStyle(element.parentElement).cursor === "pointer");

  function offers(element) {
    const tag = element.tagName.toLowerCase();
    if (["html", "body", "form", "script", "style", "option"].includes(tag)) return false;
    if (element.matches(OFFERED)) return !(tag === "input" && element.type === "hidden");
    if (element.matches(FIELDS)) return hears(element, CHANGES) || property(element, ["Change", "Input", "Click"]);
    if (tag === "label" && (element.control || element.htmlFor)) return false;
    if (element.parentElement?.closest(OFFERED)) return false;
    const alone = !element.querySelector(`${OFFERED}, ${FIELDS}`);
    return alone && (hears(element, ACTS) || property(element, ["Click"]) || points(element));
  }

  const seen = (element) => {
    const box = element.getBoundingClientRect();
    const shown = element.checkVisibility ? element.checkVisibility({ visibilityProperty: true }) : true;
    return shown && box.width > 0 && box.height > 0;
  };

  const words = (text) => (text ?? "").replace(/\s+/g, " ").trim().slice(0, 60);
  const named = (element) =>
    element.id ||
    words(element.innerText) ||
    words(element.getAttribute("aria-label") || element.title || element.value || element.name) ||
    element.getAttribute("href") ||
    element.tagName.toLowerCase();

  let found = [];

  function list() {
    found = [...everything(document)].filter(offers);
    const alike = new Map();
    return found.map((element) => {
      const name = named(element);
      const tag = element.tagName.toLowerCase();
      const key = [tag, element.getAttribute("type") ?? "", name].join("\n");
      const place = alike.get(key) ?? 0;
      alike.set(key, place + 1);
      return {
        key: `${key}\n${place}`,
        name: place ? `${name} (${place + 1})` : name,
        tag,
        visible: seen(element),
        enabled: !element.matches(":disabled") && element.getAttribute("aria-disabled") !== "true",
        frame: false,
      };
    });
  }

  const SAMPLES = { email: "visitor@example.com", number: "1", range: "1", tel: "5550100", url: "https://example.com/",
    date: "2026-01-15", month: "2026-01", week: "2026-W03", time: "12:00", "datetime-local": "2026-01-15T12:00", color: "#336699" };

  /** Fills what a form demands, so that it can be sent. */
  function fill(element) {
    for (const field of element.form?.elements ?? []) {
      if (!field.required || field.disabled) continue;
      if (field.type === "checkbox" || field.type === "radio") field.checked = true;
      else if (field.tagName === "SELECT") field.value ||= [...field.options].find((option) => option.value)?.value ?? "";
      else if (!field.value) field.value = field.min || SAMPLES[field.type] || "sample";
    }
  }

  globalThis[Symbol.for("paribus.crawl")] = {
    list,
    at: (place) => found[place],
    fill,
    frames: () => document.querySelectorAll("iframe, frame").length,
  };
})();
