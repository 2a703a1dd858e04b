/** What outlives a page: localStorage and one cookie, both silent where a browser refuses them. */
export interface Storage {
  get: (name: string) => string | null;
  set: (name: string, value: string) => boolean;
  remove: (name: string) => void;
  names: () => string[];
  clear: () => void;
}

const PREFIX = "paribus:";
const COOKIE = "paribus_id";

/** Storage that writes only while `allowed` says so; reading nothing and keeping nothing outside a browser. */
export function openStorage(allowed: () => boolean): Storage {
  const attempt = <T>(action: (store: globalThis.Storage) => T, otherwise: T): T => {
    try {
      return allowed() ? action(localStorage) : otherwise;
    } catch {
      return otherwise;
    }
  };
  const names = (): string[] =>
    attempt((store) => Object.keys(store).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)), []);
  const remove = (name: string): void => attempt((store) => store.removeItem(PREFIX + name), undefined);
  return {
    get: (name) => attempt((store) => store.getItem(PREFIX + name), null),
    set: (name, value) => attempt((store) => (store.setItem(PREFIX + name, value), true), false),
    remove,
    names,
    clear: () => eraseStorage(),
  };
}

/** Removes all that any page of this site keeps for Paribus, whatever the consent is now. */
export function eraseStorage(): void {
  try {
    for (const store of [localStorage, sessionStorage]) {
      for (const name of Object.keys(store)) if (name.startsWith(PREFIX)) store.removeItem(name);
    }
    document.cookie = `${COOKIE}=; path=/; max-age=0`;
  } catch {
    // A browser that refuses storage has kept nothing.
  }
}

/** The anonymous id in its cookie, which outlives a cleared localStorage and is readable by the site's server. */
export function readCookie(): string | null {
  try {
    return /(?:^|; )paribus_id=([\w-]+)/.exec(document.cookie)?.[1] ?? null;
  } catch {
    return null;
  }
}

export function writeCookie(id: string): void {
  try {
    document.cookie = `${COOKIE}=${id}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  } catch {
    // Without cookies the id lives in localStorage alone.
  }
}
