/** A clock that is off: `Date` tells another time from then on; timers do not mind, and neither does `performance`. */

const RealDate = Date;
let shiftMs = 0;

class ShiftedDate extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [ShiftedDate.now()] : given));
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
}

/** Lets the clock jump, from where it is, by whole milliseconds. @returns {number} how far it is off then */
export function shiftClock(ms) {
  globalThis.Date = ShiftedDate;
  return (shiftMs += ms);
}
