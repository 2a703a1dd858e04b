// What the test gives on standard input: { url, key, orders: [{ id, name, user, anonymous, time, properties }] }.
import { readFileSync } from "node:fs";

export const { url, key, orders, ...rest } = JSON.parse(readFileSync(0, "utf8"));

export const options = rest;

/** A function with a Node callback as a promise. */
export const settled = (start) =>
  new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
