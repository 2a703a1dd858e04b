import { bucket } from "./bucket.js";
import { createClient } from "./client.js";
import { Evaluator } from "./evaluator.js";

// The classic script's one global name.
Object.assign(globalThis, { paribus: { createClient, Evaluator, bucket } });
