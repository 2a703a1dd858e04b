/** Posts JSON to the server, without cookies. */
export function post(url: string, key: string | undefined, body: string, options: RequestInit = {}): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": "application/json", ...(options.headers as object) };
  if (key) headers.Authorization = "Bearer " + key;
  return fetch(url, { method: "POST", body, credentials: "omit", ...options, headers });
}

/** RFC 3339 in UTC. */
export const timestamp = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** A timer that does not keep a Node process alive. */
export function after(milliseconds: number, action: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(action, milliseconds);
  (timer as { unref?: () => void }).unref?.();
  return timer;
}
