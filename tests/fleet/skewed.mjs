// Preloaded into the processes of a fleet: the clock of each is off from the start, by what its place in `CLOCK_SKEWS_MS` says.
const { CLOCK_SKEWS_MS, ISOLATE } = process.env;
const skewMs = Number(CLOCK_SKEWS_MS.split(",")[Number(ISOLATE)]);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + skewMs] : given));
  }

  static now() {
    return RealDate.now() + skewMs;
  }
};

const { timeOrigin } = performance;
Object.defineProperty(performance, "timeOrigin", { get: () => timeOrigin + skewMs });
