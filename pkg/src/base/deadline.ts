// Limits of time: of what fails when it takes too long, and of what is not waited for any longer.

/** A timer that rings so late tells that the isolate was held up: by a render that computes, or by a machine that stalls. */
const HELD_UP_MS = 250;

/** One timer for several promises: in workerd it takes as long to set and clear one as to read what is stored. */
export class TimeLimit {
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #late: Promise<never>;

  /** @param isPatient whether time in which the isolate was held up does not count */
  constructor(ms: number, isPatient = true) {
    this.#late = new Promise((_, reject) => {
      const begun = Date.now();
      const fail = () => reject(new Error(`no answer within ${ms} ms`));
      this.#timer = setTimeout(() => {
        // Held up, the isolate finds timers and answers at once, and nothing says which of them comes first.
        if (isPatient && Date.now() - begun > ms + HELD_UP_MS) this.#timer = setTimeout(fail, ms);
        else fail();
      }, ms);
    });
    // Nobody may be waiting any more.
    this.#late.catch(() => {});
  }

  /** Rejects when the promise has not settled before the limit. */
  of<Result>(promise: Promise<Result> | Result): Promise<Result> {
    return Promise.race([promise, this.#late]);
  }

  lift(): void {
    clearTimeout(this.#timer);
  }
}

/** Rejects when `promise` has not settled after `ms` in which this isolate could have heard of it. */
export function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  return limited(new TimeLimit(ms), promise);
}

/** Rejects when `promise` has not settled after `ms`, also where this isolate was held up. */
export function withinStrictly<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  return limited(new TimeLimit(ms, false), promise);
}

function limited<Result>(limit: TimeLimit, promise: Promise<Result>): Promise<Result> {
  return limit.of(promise).finally(() => limit.lift());
}

/** Waits for work that goes on by itself after `ms`: then it has no result. */
export async function atMost<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, enough]).finally(() => clearTimeout(timer));
}

/** Resolves after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
