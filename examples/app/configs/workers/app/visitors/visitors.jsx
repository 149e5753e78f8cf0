"use client";

import { useState } from "react";

const COUNT = 50;

export function Visitors() {
  const [result, setResult] = useState(null);
  const [busy, setBusy] = useState(false);

  async function send() {
    setBusy(true);
    setResult(await visitTogether(`/slow/v-${crypto.randomUUID().slice(0, 8)}`));
    setBusy(false);
  }

  return (
    <>
      <p>
        <button onClick={send} disabled={busy}>
          {busy ? "Visiting…" : `Send ${COUNT} visitors`}
        </button>
      </p>
      {result && <Result {...result} />}
    </>
  );
}

async function visitTogether(path) {
  const answers = await Promise.all(Array.from({ length: COUNT }, () => visit(path)));
  const good = answers.filter((answer) => answer.status === 200);
  const renders = await fetch(`/api/renders?path=${encodeURIComponent(path)}`).then((response) => response.json());
  return {
    path,
    answered: good.length,
    versions: new Set(good.map((answer) => answer.renderId)).size,
    renders: renders.count,
  };
}

async function visit(path) {
  const response = await fetch(path, { cache: "no-store" });
  const html = await response.text();
  return { status: response.status, renderId: /data-render-id="([^"]+)"/.exec(html)?.[1] };
}

function Result({ path, answered, versions, renders }) {
  return (
    <section data-answered={answered} data-versions={versions} data-renders={renders}>
      <p className="verdict">
        {COUNT} visitors, {renders === undefined ? "renders not counted" : plural(renders, "render")}
      </p>
      <dl className="render">
        <dt>Page</dt>
        <dd>
          <a href={path}>{path}</a>
        </dd>
        <dt>Answered with 200</dt>
        <dd>{answered}</dd>
        <dt>Versions seen</dt>
        <dd>{versions}</dd>
        <dt>Renders counted</dt>
        <dd>{renders ?? "no probe is bound"}</dd>
      </dl>
    </section>
  );
}

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
