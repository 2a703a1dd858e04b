/** What outlives a page: localStorage, sessionStorage and one cookie, all silent where a browser refuses them. */
export interface Storage {
  get: (name: string) => string | null;
  set: (name: string, value: string) => void;
  remove: (name: string) => void;
  names: () => string[];
}

const PREFIX = "paribus:";
const COOKIE = "paribus_id";

/** The action's result, or `otherwise` where the browser refuses it. */
export function attempt<T>(action: () => T, otherwise: T): T {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

/** Storage that reads and writes only while `allowed` says so. */
export function openStorage(open: () => globalThis.Storage, allowed: () => boolean): Storage {
  const guarded = <T>(action: (store: globalThis.Storage) => T, otherwise: T): T =>
    allowed() ? attempt(() => action(open()), otherwise) : otherwise;
  return {
    get: (name) => guarded((store) => store.getItem(PREFIX + name), null),
    set: (name, value) => guarded((store) => store.setItem(PREFIX + name, value), undefined),
    remove: (name) => guarded((store) => store.removeItem(PREFIX + name), undefined),
    names: () => guarded((store) => ours(store).map((name) => name.slice(PREFIX.length)), []),
  };
}

const ours = (store: globalThis.Storage): string[] => Object.keys(store).filter((name) => name.startsWith(PREFIX));

/** Removes all that any page of this site keeps for Paribus, whatever the consent is now. */
export function eraseStorage(): void {
  attempt(() => {
    for (const store of [localStorage, sessionStorage]) ours(store).forEach((name) => store.removeItem(name));
    document.cookie = `${COOKIE}=; path=/; max-age=0`;
  }, undefined);
}

/** The anonymous id in its cookie, which outlives a cleared localStorage and is readable by the site's server. */
export const readCookie = (): string | undefined =>
  attempt(() => /(?:^|; )paribus_id=([\w-]+)/.exec(document.cookie)?.[1], undefined);

export function writeCookie(id: string): void {
  attempt(() => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `${COOKIE}=${id}; path=/; max-age=31536000; samesite=lax${secure}`;
  }, undefined);
}
