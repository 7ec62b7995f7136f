// What the platforms behind the gateway can do, by GET /v1/capabilities. Asked when the account starts
// and by every probe; a process that only sends asks when it has a file. What is not known is no limit
// here: the gateway has the last word.

export class Limits {
  #platforms = {};

  constructor(gateway) {
    this.gateway = gateway;
  }

  /** Ask anew; gives the platforms' tables by name. Throws as the gateway's client does. */
  async learn() {
    const { platforms } = await this.gateway.capabilities();
    this.#platforms = platforms;
    return platforms;
  }

  /** The largest file for a platform in bytes, `most` at most. Never throws. */
  async fileBytes(platform, most) {
    if (this.#platforms[platform] === undefined) await this.learn().catch(() => {});
    return Math.min(most, this.#platforms[platform]?.limits?.file_bytes ?? most);
  }

  /** Whether every platform has this in some way: who speaks does not know yet to which it goes. */
  everywhere(ability) {
    return Object.values(this.#platforms).every(({ abilities }) => abilities?.[ability]?.support !== "none");
  }
}
