/** What a deployment does with a build before processes start from it: `onegen seed`. */

import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { imageOf } from "./build.mjs";

/** A copy of a built app, as a deployment has it where it runs the command. */
export class Deployment {
  /** @param {string} [variant] */
  static async of(variant = "onegen") {
    const folder = await mkdtemp(path.join(tmpdir(), "onegen-deployment-"));
    await cp(imageOf(variant).folder, folder, { recursive: true, verbatimSymlinks: true });
    return new Deployment(folder);
  }

  constructor(folder) {
    this.folder = folder;
  }

  /** Runs `onegen seed`. @param {Record<string, string>} env @returns {Promise<{ code: number, stdout: string, stderr: string }>} */
  seed(env) {
    const command = path.join(this.folder, "node_modules/onegen/dist/cli/cli.js");
    return new Promise((resolve) => {
      execFile(process.execPath, [command, "seed"], { cwd: this.folder, env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => {
        resolve({ code: error?.code ?? 0, stdout, stderr });
      });
    });
  }

  async [Symbol.asyncDispose]() {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a build rendered ahead: where each page or route is asked for, and its data where navigations ask for them elsewhere. */
export async function prerenderedBy(variant) {
  const { routes } = JSON.parse(await readFile(path.join(imageOf(variant).folder, ".next/prerender-manifest.json"), "utf8"));
  const visible = Object.entries(routes).filter(([route]) => !route.startsWith("/_"));
  return visible.map(([route, { dataRoute }]) => ({
    route,
    address: addressOf(route),
    /** What the browser asks for when it navigates there: the page's own address again, if that is of the App Router. */
    data: dataRoute?.endsWith(".json") ? encodeURI(dataRoute) : undefined,
    isApp: dataRoute?.endsWith(".rsc") ?? false,
    /** The answer's: told by name, because not every version of Next.js tells it. */
    status: route.endsWith("/gone") ? 404 : route.endsWith("/moved") ? 307 : 200,
  }));
}

export const addressOf = (route) => route.split("/").map(encodeURIComponent).join("/");
