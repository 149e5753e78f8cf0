import { cookies, headers } from "next/headers";
import { connection } from "next/server";
import { Page } from "../../../lib/page.jsx";
import { rendering } from "../../../lib/render.js";

export const revalidate = 5;

export function generateStaticParams() {
  return [];
}

const requestReads = { cookies, headers, connection };

export default async function Dynamic({ params }) {
  const { slug } = await params;
  const render = await rendering(`/dynamic/${slug}`, requestReads[slug]);
  return (
    <Page render={render} title="A page that may turn dynamic">
      <p>
        The slugs <code>cookies</code>, <code>headers</code> and <code>connection</code> read the request while they
        render. Next.js built the route as cacheable and answers them with an error. Every other slug is cached.
      </p>
    </Page>
  );
}
