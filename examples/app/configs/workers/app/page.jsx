import { Page } from "../lib/page.jsx";
import { rendering } from "../lib/render.js";

export const revalidate = false;

const pages = [
  ["/visitors", "50 visitors at once", "Fifty visitors ask for a page that nobody has built yet. It is generated once."],
  ["/about", "A static page", "Built with the app; never generated again."],
  ["/isr/foo", "A page built ahead", "Fresh for an hour. Every server and every restart agrees that it is fresh."],
  ["/isr/bar", "A page built on first visit", "The first visit generates it; all later ones, anywhere, get the same bytes."],
  ["/quick/built", "A page that goes stale", "Fresh for five seconds. Then one visit starts one regeneration; nobody waits."],
  ["/brief/one", "A page that goes stale sooner", "Fresh for two seconds."],
  ["/slow/one", "A slow page", "Takes two seconds to generate. Visitors who come meanwhile wait for that one render."],
  ["/tagged/apple", "A page with tags", "Stays until one of its tags, or its path, is invalidated."],
  ["/flaky/one", "A page that can fail", "Make its render fail: the last good page stays."],
  ["/missing/one", "A page that is not there", "A 404 is cached like any other page."],
  ["/dynamic/plain", "A page that may turn dynamic", "Other slugs read the request, which Next.js answers with an error that is never cached."],
  ["/file/text", "A small file", "A route handler's answer."],
  ["/file/bytes", "Every byte", "A binary answer, kept exactly."],
  ["/file/big", "Ten megabytes", "A large binary answer, kept exactly."],
  ["/file/huge", "Too large to keep", "Larger than Workers KV accepts; still served."],
];

export default async function Home() {
  const render = await rendering("/");
  return (
    <Page render={render} title="A page is generated once">
      <p>
        This app runs on many servers at the same time. Each page below may be cached, go stale, and be generated again.
        Onegen sees to it that one server does so while all others wait for the result or go on serving what they have.
        Every page shows when it was generated, and an id of that render.
      </p>
      <table>
        <tbody>
          {pages.map(([path, name, text]) => (
            <tr key={path}>
              <th scope="row">
                <a href={path}>{name}</a>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Page>
  );
}
