import type * as Recording from "./recording.js";

/** The recorder's module, fetched only when a session is recorded. */
export function loadRecorder(scriptUrl?: string): Promise<typeof Recording> {
  return scriptUrl
    ? (import(/* @vite-ignore */ /* webpackIgnore: true */ scriptUrl) as Promise<typeof Recording>)
    : import("./recording.js");
}
