import type * as Recording from "./recording.js";

// A classic script knows its own address only while it is being run.
const script = typeof document === "undefined" ? null : (document.currentScript as HTMLScriptElement | null);
const folder = script?.src ? script.src.replace(/[^/]*$/, "") : "./";

/** The recorder's module, from beside this script. */
export function loadRecorder(scriptUrl = folder + "recording.mjs"): Promise<typeof Recording> {
  return import(scriptUrl) as Promise<typeof Recording>;
}
