/**
 * Flags in a browser, over OFREP (https://github.com/open-feature/protocol), with previews for one tab.
 *
 *     import { Flags } from "./flagctl.mjs";
 *     const flags = new Flags("https://flags.example.com", { context: { targetingKey: user.id } });
 *     await flags.load();
 *     if (flags.enabled("wishlist-gallery")) { ... }
 *     const size = flags.value("page-size", 20);
 *
 * `?preview_flags=gallery:true,page:treatment` in the page's address previews these flags and no others,
 * `?flag_gallery=true` one more, `?flag_gallery=` one less, and an empty `?preview_flags=` ends it. sessionStorage keeps
 * it for the tab. The server is told by the query parameter `preview_flags` of each OFREP request, which flagctl's
 * middleware before it understands; whether it may be is for the server to say.
 *
 * Nothing here throws, and nothing rejects: what can't be told is the caller's default.
 */

const PREVIEW = "flagctl_preview";
const ANSWERS = "flagctl_answers";
const ONE = "flag_";

/** What a text such as `gallery:true,page:treatment` previews; what is no pair is left out. */
export function parsePreview(text) {
  const flags = new Map();
  for (const part of text.split(",")) {
    const colon = part.indexOf(":");
    const [key, variant] = [part.slice(0, colon).trim(), part.slice(colon + 1).trim()];
    if (colon > 0 && key && variant) flags.set(key, variant);
  }
  return flags;
}

/** What is previewed after a page was opened with this query; `before` is what the tab had. */
export function mergePreview(before, query) {
  let flags = new Map(before);
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "preview_flags") {
      const wanted = parsePreview(value);
      if (!value || wanted.size) flags = wanted;
    } else if (name.startsWith(ONE) && name.length > ONE.length) {
      if (value) flags.set(name.slice(ONE.length), value);
      else flags.delete(name.slice(ONE.length));
    }
  }
  return flags;
}

/** The flags of one server for one context. */
export class Flags {
  #base;
  #options;
  #context;
  #preview;
  #answers = new Map();
  #asked = "";
  #etag = "";
  #turn = 0;

  /** What the server said of the preview in its last answer (X-Flagctl-Preview), "" for nothing. */
  said = "";

  /**
   * @param {string} base the server's address; OFREP's paths come below it.
   * @param {object} [options] context: what flags are asked for; token: a text, or a function that gives one (a promise
   *   too), sent as `Authorization: Bearer`; headers: sent too; credentials: as of fetch, "omit" unless said; timeout: in
   *   milliseconds; query: what to read instead of the page's own.
   */
  constructor(base, options = {}) {
    this.#base = String(base).replace(/\/+$/, "");
    this.#options = options;
    this.#context = options.context ?? {};
    const query = options.query ?? globalThis.location?.search ?? "";
    this.#preview = mergePreview(parsePreview(recall(PREVIEW) ?? ""), query);
    this.#keepPreview();
    try {
      const kept = JSON.parse(recall(ANSWERS) ?? "null");
      if (kept?.asked === this.#question()) this.#take(kept.asked, kept.etag, kept.flags);
    } catch {
      forget(ANSWERS);
    }
  }

  /** What this tab previews, flag to variant. */
  get preview() {
    return Object.fromEntries(this.#preview);
  }

  /** Preview these flags and no others from now on, written as in a query; "" ends it. `load` brings the answers. */
  setPreview(text) {
    this.#preview = parsePreview(text);
    this.#keepPreview();
  }

  /** Ask for all flags at once. Whether the answers are this context's; those before stay while it is the same. */
  async load(context = this.#context) {
    this.#context = context;
    const asked = this.#question();
    if (asked !== this.#asked) this.#take(asked, "", []); // nobody gets somebody else's answers
    const turn = ++this.#turn;
    try {
      const known = this.#etag ? { "If-None-Match": this.#etag } : {};
      const response = await this.#post("", context, known);
      if (turn !== this.#turn) return false; // a later call is under way, or done
      if (response.status === 304) return true;
      if (!response.ok) return false;
      const { flags } = await response.json();
      if (turn !== this.#turn || !Array.isArray(flags)) return false;
      const etag = response.headers.get("ETag") ?? "";
      this.#take(asked, etag, flags);
      remember(ANSWERS, JSON.stringify({ asked, etag, flags }));
      return true;
    } catch {
      return false;
    }
  }

  /** Whether a boolean flag is on, of those that were loaded. */
  enabled(key) {
    return this.value(key, false);
  }

  /** The value of a flag that was loaded; `fallback` where that can't be told, or it is of another type. */
  value(key, fallback) {
    return this.details(key, fallback).value;
  }

  /** The value of a flag that was loaded, with variant, reason and error code, in OpenFeature's words. */
  details(key, fallback) {
    const found = this.#answers.get(key);
    const error = this.#answers.size ? "FLAG_NOT_FOUND" : "PROVIDER_NOT_READY";
    return found === undefined ? failed(key, fallback, error) : fitting(key, found, fallback);
  }

  /** Ask the server for one flag now, with more context; answers as `details` does. */
  async evaluate(key, fallback, context = {}) {
    try {
      const response = await this.#post(`/${encodeURIComponent(key)}`, { ...this.#context, ...context }, {});
      return fitting(key, await response.json(), fallback);
    } catch (error) {
      return failed(key, fallback, "GENERAL", String(error));
    }
  }

  async #post(path, context, headers) {
    const { token, timeout = 5000, credentials = "omit" } = this.#options;
    const bearer = typeof token === "function" ? await token() : token;
    const response = await fetch(this.#address(path), {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...this.#options.headers,
        ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
        ...headers,
      },
      body: JSON.stringify({ context }),
      cache: "no-store",
      credentials,
      signal: AbortSignal.timeout(timeout),
    });
    this.said = response.headers.get("X-Flagctl-Preview") ?? "";
    return response;
  }

  #address(path) {
    const text = written(this.#preview);
    // With cookies the server may remember a preview of its own: this tab's takes its place, also when it is none.
    const tell = text || (this.#options.credentials ?? "omit") !== "omit";
    const query = tell ? `?preview_flags=${encodeURIComponent(text)}` : "";
    return `${this.#base}/ofrep/v1/evaluate/flags${path}${query}`;
  }

  #question() {
    return `${this.#address("")} ${JSON.stringify(this.#context)}`;
  }

  #take(asked, etag, flags) {
    this.#answers = new Map(flags.map((flag) => [flag.key, flag]));
    [this.#asked, this.#etag] = [asked, etag];
  }

  #keepPreview() {
    if (this.#preview.size) remember(PREVIEW, written(this.#preview));
    else forget(PREVIEW);
  }
}

function written(flags) {
  return [...flags].map(([key, variant]) => `${key}:${variant}`).join(",");
}

function failed(key, fallback, errorCode, errorDetails) {
  return { key, value: fallback, reason: "ERROR", errorCode, errorDetails };
}

/** An OFREP answer as details; a value of another type than the caller's is an error. */
function fitting(key, found, fallback) {
  if (found?.errorCode) return failed(key, fallback, found.errorCode, found.errorDetails);
  if (found?.reason === undefined) return failed(key, fallback, "PARSE_ERROR", "this is no answer of OFREP");
  if (found.value === undefined) return { ...found, value: fallback }; // the server leaves it to the caller
  const fits = fallback === undefined || fallback === null || kind(found.value) === kind(fallback);
  return fits ? found : failed(key, fallback, "TYPE_MISMATCH", `the value is ${kind(found.value)}`);
}

function kind(value) {
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
}

// A browser may forbid storage, or have none left: then nothing outlives the page.

function recall(name) {
  try {
    return globalThis.sessionStorage?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

function remember(name, text) {
  try {
    globalThis.sessionStorage?.setItem(name, text);
  } catch {
    forget(name);
  }
}

function forget(name) {
  try {
    globalThis.sessionStorage?.removeItem(name);
  } catch {
    // it was never there
  }
}
