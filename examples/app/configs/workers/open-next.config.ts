import { defineCloudflareConfig } from "@opennextjs/cloudflare";
import { withOnegen } from "onegen/opennext";

export default withOnegen(defineCloudflareConfig({ enableCacheInterception: true }));
