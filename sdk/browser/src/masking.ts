/** Attributes that show words of the page. */
const WORDS = ["alt", "title", "placeholder", "aria-label", "aria-description", "label", "content"];
/** Attributes whose query may carry a token of the visitor. */
const ADDRESSES = ["href", "action", "formaction"];

interface Node {
  tagName?: string;
  attributes?: Record<string, unknown>;
  childNodes?: Node[];
}

interface Data {
  href?: string;
  node?: Node;
  adds?: { node: Node }[];
  attributes?: { attributes: Record<string, unknown> }[];
}

const withoutQuery = (address: string): string => address.replace(/[?#].*$/, "");

/** Masks, in place, what rrweb leaves readable: words in attributes, and queries of addresses. */
export function mask(data: unknown, showText: boolean): void {
  const { href, node, adds, attributes } = (data ?? {}) as Data;
  if (href) (data as Data).href = withoutQuery(href);
  if (node) maskNode(node, showText);
  for (const added of adds ?? []) maskNode(added.node, showText);
  for (const changed of Array.isArray(attributes) ? attributes : []) maskAttributes(changed.attributes, showText);
}

function maskNode(node: Node, showText: boolean): void {
  // A style sheet's address needs its query to be shown again.
  if (node.attributes && node.tagName !== "link") maskAttributes(node.attributes, showText);
  for (const child of node.childNodes ?? []) maskNode(child, showText);
}

function maskAttributes(attributes: Record<string, unknown>, showText: boolean): void {
  for (const name of ADDRESSES) {
    const address = attributes[name];
    if (typeof address === "string") attributes[name] = withoutQuery(address);
  }
  if (showText) return;
  for (const name of WORDS) {
    const words = attributes[name];
    if (typeof words === "string") attributes[name] = words.replace(/\S/g, "*");
  }
}
