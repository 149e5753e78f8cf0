// The faults of OpenNext's queue, each as a story of the app on both: with Onegen, and with OpenNext's own KV cache, queue and tag cache.
import { setClocks, withClocks } from "../e2e/two-hosts/clocks.mjs";
import { scene } from "./runner/scenes.mjs";
import { bothWays, builtApp, inWorld, mustBe200, renderOf, sleep, worstOf } from "./apps.mjs";
import { everyRepresentation } from "./stampedes.mjs";

const OWN = ["opennext", "opennext-interception"];
/** Longer than the two seconds for which `/brief` is fresh. */
const STALE_MS = 2600;

const brief = (name) => `/brief/${name}`;

async function stored(world, paths) {
  mustBe200(await Promise.all(paths.map((path) => world.visit(0, path))));
  await sleep(STALE_MS);
}

/** Visits until there is another page than this one, or the time is over. Says whether there is. */
async function isReplaced(world, path, old, limitMs) {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(500)) {
    const visit = await world.visit(1, path);
    if (visit.status === 200 && renderOf(visit) !== old) return true;
  }
  return false;
}

/** What is told of each is what is wrong; nothing when it is as it must be. */
const stories = {
  async "H4: a regeneration that could not be written is done again"(world) {
    const path = brief("unwritten");
    await stored(world, [path]);
    const old = renderOf(await world.visit(0, path));
    await world.kv.fail({ put: { mode: "throw" } });
    await world.probe.waitForEnd(path, 2, 20_000);
    await sleep(1500);
    await world.kv.heal();
    return (await isReplaced(world, path, old, 12_000)) ? [] : ["the old page is shown for ever"];
  },

  async "H5: clocks that are a little behind keep nothing from being regenerated twice"(world) {
    const path = brief("behind");
    await setClocks({ places: [0, 1].map((isolate) => ({ onWorkers: true, visit: (at, init) => world.visit(isolate, at, init) })) }, [-1500, -1500]);
    const wrong = [];
    await stored(world, [path]);
    for (const which of ["first", "second"]) {
      const shown = renderOf(await world.visit(0, path));
      if (!(await isReplaced(world, path, shown, 8000))) wrong.push(`the ${which} regeneration never comes`);
      await sleep(STALE_MS);
    }
    return wrong;
  },

  async "H6, H18: while others are regenerated, a page is so once, and nobody waits for that"(world) {
    const path = brief("one-of-many");
    const others = Array.from({ length: 60 }, (_, n) => brief(`busy-${n}`));
    for (const some of [others.slice(0, 20), others.slice(20, 40), others.slice(40)]) mustBe200(await Promise.all(some.map((one) => world.visit(0, one))));
    await stored(world, [path]);
    for (const one of others) world.probe.behave(one, { hold: true });
    const busy = Promise.all(others.map((one) => world.visit(0, one)));
    await sleep(2500);
    let answered = 0;
    const visits = Array.from({ length: 20 }, (_, n) => world.visit(n % 2, path).finally(() => (answered += 1)));
    await sleep(2500);
    const wrong = answered < visits.length ? [`${visits.length - answered} of ${visits.length} visitors of a stale page wait`] : [];
    for (const one of others) world.probe.release(one);
    mustBe200(await Promise.all(visits));
    await busy;
    await sleep(STALE_MS);
    const renders = world.probe.renders(path).length - 1;
    if (renders !== 1) wrong.push(`it is rendered ${renders} times`);
    return wrong;
  },

  async "H7: page, RSC payload and segments are one page"(world) {
    const renders = await everyRepresentation(world);
    return renders === 1 ? [] : [`${renders} renders`];
  },

  async "H9: many pages that failed once are regenerated, all of them"(world) {
    const paths = Array.from({ length: 30 }, (_, n) => brief(`failed-${n}`));
    await stored(world, paths);
    world.probe.behave("*", { fail: true });
    const old = new Map((await Promise.all(paths.map((path) => world.visit(0, path)))).map((visit) => [visit.path, renderOf(visit)]));
    await Promise.all(paths.map((path) => world.probe.waitForEnd(path, 2, 5000).catch(() => {})));
    await sleep(1000);
    world.probe.behave("*", {});
    const replaced = await Promise.all(paths.map((path) => isReplaced(world, path, old.get(path), 25_000)));
    const left = replaced.filter((isOne) => !isOne).length;
    return left === 0 ? [] : [`${left} of ${paths.length} are not`];
  },

  async "H12: a render of twelve seconds is rendered once"(world) {
    const path = brief("slow");
    await stored(world, [path]);
    world.probe.behave(path, { delayMs: 12_000 });
    mustBe200([await world.visit(0, path)]);
    await sleep(17_000);
    const renders = world.probe.renders(path).length - 1;
    return renders === 1 ? [] : [`${renders} renders`];
  },

  async "H15: a soft invalidation takes back no hard one"(world) {
    const path = "/tagged/taken-back";
    mustBe200([await world.visit(0, path)]);
    await sleep(500);
    const old = renderOf(await world.visit(0, path));
    for (const query of ["tag=product:taken-back", "tag=product:taken-back&profile=max"]) {
      mustBe200([await world.visit(0, `/api/revalidate?${query}`, { method: "POST" })]);
      await sleep(50);
    }
    await sleep(1200);
    const visits = [await world.visit(1, path), await world.visit(0, path)];
    mustBe200(visits);
    return visits.some((visit) => renderOf(visit) === old) ? ["the old page is readable again"] : [];
  },

  async "H25: made-up rights to regenerate and to see drafts change nothing"(world) {
    const path = "/isr/forged";
    mustBe200([await world.visit(0, path)]);
    await sleep(500);
    const shown = renderOf(await world.visit(0, path));
    const forged = { "x-prerender-revalidate": "made-up", cookie: "__prerender_bypass=made-up" };
    const visits = await Promise.all(Array.from({ length: 10 }, (_, n) => world.visit(n % 2, path, { headers: forged })));
    mustBe200(visits);
    const others = visits.filter((visit) => renderOf(visit) !== shown).length;
    return others === 0 ? [] : [`${others} of ${visits.length} get another page`];
  },
};

/** Those that OpenNext ends badly when they are played through the app; the others were seen at its queue alone. */
const OF_OWN = Object.keys(stories).filter((name) => /^H(4|5|6|15)\b/.test(name));

/** The stories that end badly. */
async function endedBadly(context, variant, names, tell = () => {}) {
  const bad = [];
  for (const name of names) {
    const { changed } = withClocks([]);
    const bundle = changed(await builtApp(variant));
    const wrong = await inWorld(context, { bundle, isolates: 4, kv: "bridge", wrapObjects: true }, stories[name]);
    if (wrong.length > 0) bad.push(name);
    for (const one of wrong) tell(`opennext_faults_repeated: ${variant}: ${name}: ${one}`);
  }
  return bad;
}

export const scenes = [
  scene("opennext_faults_repeated", {
    required: `0 of ${Object.keys(stories).length} stories of what OpenNext's cache and queue do wrong`,
    seconds: 380,
    holds: (bad) => bad === 0,
    limitMs: 420_000,
    run: (context) => worstOf(bothWays, async (variant) => (await endedBadly(context, variant, Object.keys(stories), console.error)).length),
    controlName: `OpenNext's own cache, of the ${OF_OWN.length} that can be played through an app`,
    controlFails: (bad) => bad === OF_OWN.length,
    control: async (context) => {
      const bad = [];
      for (const variant of OWN) bad.push(...(await endedBadly(context, variant, OF_OWN)));
      return new Set(bad).size;
    },
  }),
];
