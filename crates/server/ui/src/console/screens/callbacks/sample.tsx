// How a receiver checks that a callback is ours.

import { t } from '../../i18n';

const NATIVE = `# webhook-signature: v1,BASE64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY"   (standardwebhooks.com)
import base64, hmac, time
def is_ours(headers, body: bytes, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return abs(time.time() - int(headers["webhook-timestamp"])) < 300 and any(
        hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split())`;

const CLASSIC = `# in the body: t = Unix seconds of expiry, sign = MD5(key + t), lower-case hex
import hashlib, hmac, time
def is_ours(body: dict, key: str) -> bool:
    wanted = hashlib.md5(f'{key}{body["t"]}'.encode()).hexdigest()
    return body["t"] > time.time() and hmac.compare_digest(wanted, body["sign"])`;

export function Sample({ profile }: { profile: string }) {
  return (
    <figure class="sample">
      <figcaption class="field-name">{t('callbacks.sample')}</figcaption>
      <pre translate={false} tabIndex={0}>{profile === 'native' ? NATIVE : CLASSIC}</pre>
    </figure>
  );
}
