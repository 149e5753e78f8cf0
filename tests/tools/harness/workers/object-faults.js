/**
 * Subclasses of Durable Object classes whose methods count themselves and, when the test says so, throw, never answer, answer
 * late, lose their answer, or reset the object. They run in the isolate of the objects, beside the entrypoint that sets the
 * rule, so that a changed rule holds for the very next call.
 */

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

/** @typedef {{ mode: "ok" | "throw" | "hang" | "loseAnswer" | "abort", classes?: string[], methods?: string[], delayMs?: number, times?: number, message?: string, properties?: object }} Rule */

/** @type {Rule} */
let rule = { mode: "ok" };
/** @type {Record<string, number>} `Class.method` to count */
let counts = {};
/** @type {Record<string, number>} `Class rowsRead`, `Class rowsWritten`, `Class setAlarm` to count */
let storage = {};
let inFlight = 0;

/**
 * @param {any} Base a Durable Object class
 * @param {string} className
 * @param {string[] | undefined} methods which methods; by default all that the prototypes hold
 */
export function withFaults(Base, className, methods) {
  class Guarded extends Base {
    constructor(ctx, env) {
      meter(ctx, className);
      super(ctx, env);
    }
  }
  for (const name of methods ?? methodNames(Base)) {
    Guarded.prototype[name] = function (...args) {
      count(counts, `${className}.${name}`);
      const fault = faultFor(className, name);
      const perform = () => Base.prototype[name].apply(this, args);
      return fault ? faulty(this, fault, perform) : perform();
    };
  }
  return Guarded;
}

/**
 * Counts what an object's storage is billed for, rows and alarms, as `Class rowsRead`, `Class rowsWritten` and `Class setAlarm`.
 * A cursor knows its rows once it was read to its end, and tells them to its own object alone: it is looked at as soon as those who
 * made it have let go of it.
 */
function meter(ctx, className) {
  const own = ctx.storage;
  const exec = (...args) => {
    const cursor = own.sql.exec(...args);
    queueMicrotask(() => {
      count(storage, `${className} rowsRead`, cursor.rowsRead);
      count(storage, `${className} rowsWritten`, cursor.rowsWritten);
    });
    return cursor;
  };
  const setAlarm = (...args) => {
    count(storage, `${className} setAlarm`);
    return own.setAlarm(...args);
  };
  const sql = new Proxy(own.sql, { get: (target, name) => (name === "exec" ? exec : bound(target, name)) });
  const counted = { sql, setAlarm };
  const value = new Proxy(own, { get: (target, name) => counted[name] ?? bound(target, name) });
  Object.defineProperty(ctx, "storage", { value });
}

function bound(target, name) {
  const value = target[name];
  return typeof value === "function" ? value.bind(target) : value;
}

function count(kept, what, more = 1) {
  kept[what] = (kept[what] ?? 0) + more;
}

function methodNames(Base) {
  const names = new Set();
  for (let proto = Base.prototype; proto !== DurableObject.prototype && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      if (name !== "constructor" && typeof value === "function") names.add(name);
    }
  }
  return [...names];
}

function faultFor(className, method) {
  if (rule.mode === "ok" && !rule.delayMs) return undefined;
  if (rule.classes && !rule.classes.includes(className)) return undefined;
  // An alarm is not a call by anybody: it fails only when the rule names it.
  if (rule.methods ? !rule.methods.includes(method) : method === "alarm") return undefined;
  if (rule.times === undefined) return rule;
  if (rule.times <= 0) return undefined;
  rule.times -= 1;
  return rule;
}

async function faulty(object, fault, perform) {
  if (fault.mode === "abort") object.ctx.abort(fault.message ?? "the harness resets this object");
  inFlight += 1;
  try {
    if (fault.delayMs) await scheduler.wait(fault.delayMs);
    if (fault.mode === "throw") throw failure(fault, "the harness makes this object throw");
    if (fault.mode === "hang") {
      // Waiting on a timer: the runtime ends a request that waits on nothing at all.
      while (rule === fault) await scheduler.wait(50);
      throw new Error("the harness ended a call that was never answered");
    }
    const answer = await perform();
    if (fault.mode === "loseAnswer") throw failure(fault, "Network connection lost.");
    return answer;
  } finally {
    inFlight -= 1;
  }
}

function failure(fault, message) {
  return Object.assign(new Error(fault.message ?? message), fault.properties);
}

export class HarnessControl extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "POST /rule":
        rule = await request.json();
        return new Response(null, { status: 204 });
      case "GET /counts":
        return Response.json(counts);
      case "DELETE /counts":
        counts = {};
        storage = {};
        return new Response(null, { status: 204 });
      case "GET /storage":
        return Response.json(storage);
      case "GET /in-flight":
        return Response.json(inFlight);
      case "GET /boot":
        return Response.json(this.env.HARNESS_BOOT);
      default:
        return new Response("unknown", { status: 404 });
    }
  }
}
