// Preloaded into a process of a fleet: its clock can be set, from inside (`setClock`) or by whoever started it (the question `clock`).
let skewMs = 0;
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

/** The clock is off by so much from now on. */
export function setClock(ms) {
  skewMs = ms;
}

process.on("message", ({ id, question, given }) => {
  if (question !== "clock") return;
  setClock(given);
  process.send({ id, answer: given });
});
