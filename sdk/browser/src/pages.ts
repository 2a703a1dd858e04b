/** Reports each page shown, the first and those of a single-page application; returns how to stop. */
export function watchPages(report: (trigger: "load" | "navigation") => void): () => void {
  let path = location.pathname;
  const moved = (): void => {
    if (location.pathname === path) return;
    path = location.pathname;
    report("navigation");
  };
  const undo: (() => void)[] = [];
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (this: History, ...given) {
      original.apply(this, given);
      moved();
    };
    undo.push(() => (history[name] = original));
  }
  addEventListener("popstate", moved);
  report("load");
  return () => {
    undo.forEach((step) => step());
    removeEventListener("popstate", moved);
  };
}
