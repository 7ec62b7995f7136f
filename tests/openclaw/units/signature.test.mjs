import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { SignatureError, keyOf, verifiedId } from "../../../plugin_bridge/openclaw/src/signature.js";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW_S = 1_614_265_330;

function request({ body = '{"test": 2432232314}', id = "msg_p5jXN8AQM9LWM0D4loKWxJek", atS = NOW_S, secret = SECRET, signature } = {}) {
  const signed = createHmac("sha256", keyOf(secret)).update(`${id}.${atS}.${body}`).digest("base64");
  return {
    headers: { "webhook-id": id, "webhook-timestamp": String(atS), "webhook-signature": signature ?? `v1,${signed}` },
    body: Buffer.from(body), secrets: [SECRET], nowS: NOW_S,
  };
}

test("the example of the standard is verified", () => {
  // https://github.com/standard-webhooks/standard-webhooks: the vector of its reference libraries.
  const known = request({ signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" });
  assert.equal(verifiedId(known), "msg_p5jXN8AQM9LWM0D4loKWxJek");
});

test("one of two signatures is enough, and one of two secrets", () => {
  const other = "whsec_" + "A".repeat(32);
  const signed = request();
  signed.headers["webhook-signature"] = `v1,AAAA v2,x ${signed.headers["webhook-signature"]}`;
  assert.ok(verifiedId({ ...signed, secrets: [other, SECRET] }));
});

for (const [name, spoiled, field] of [
  ["another secret", request({ secret: "whsec_" + "A".repeat(32) }), "webhook-signature"],
  ["no signature", request({ signature: "" }), "webhook-signature"],
  ["an empty one", request({ signature: "v1," }), "webhook-signature"],
  ["an old one", request({ atS: NOW_S - 301 }), "webhook-timestamp"],
  ["one of tomorrow", request({ atS: NOW_S + 301 }), "webhook-timestamp"],
  ["no id", request({ id: "" }), "webhook-id"],
]) {
  test(`${name} is refused`, () => {
    assert.throws(() => verifiedId(spoiled), (error) => error instanceof SignatureError && error.message.startsWith(field));
  });
}

test("the bytes are what is signed", () => {
  const signed = request({ body: '{"a":1}' });
  assert.throws(() => verifiedId({ ...signed, body: Buffer.from('{"a": 1}') }), SignatureError);
});
