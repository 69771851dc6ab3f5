import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

/** Which proxies may report the client's address: a number of hops, networks, or none. */
export type TrustProxy = false | number | readonly string[];

const MAX_HOPS = 10;
/** Names of networks that the proxy-addr library knows. */
const names: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

const wanted =
  'must be the number of proxies in front of the service (1 to 10), a list of their networks (10.0.0.0/8,192.0.2.7 or loopback, linklocal, uniquelocal), or off';

const isNetwork = (text: string): boolean => {
  if (names.has(text)) return true;
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  // A prefix of 0 would trust everybody, as `true` would.
  return bits >= 1 && bits <= (family === 6 ? 128 : 32);
};

/**
 * Parses TRUST_PROXY. `true` is refused: it would believe whatever address a client writes into
 * X-Forwarded-For, and with it a throttle per address would be none.
 */
export const trustProxy: z.ZodType<TrustProxy> = z.string().transform((text, context): TrustProxy => {
  const given = text.trim().toLowerCase();
  if (['off', 'false', '0'].includes(given)) return false;
  const fail = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (given === 'true' || given === 'on')
    return fail(
      `is not accepted, because clients could then forge their address in X-Forwarded-For; ${wanted}`,
    );
  if (/^\d+$/.test(given)) return Number(given) <= MAX_HOPS ? Number(given) : fail(wanted);
  const networks = given.split(',').map((network) => network.trim());
  return networks.every(isNetwork) ? networks : fail(wanted);
});

const ranges: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/**
 * Returns whether the hop with this address may report the address of the one before it. Hop 0 is the
 * connection itself.
 */
export function trustedHops(trust: TrustProxy): false | ((address: string, hop: number) => boolean) {
  if (trust === false) return false;
  if (typeof trust === 'number') return (_address, hop) => hop < trust;
  const list = new BlockList();
  for (const network of trust.flatMap((one) => ranges[one] ?? [one])) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 6 ? 'ipv6' : 'ipv4');
  };
}
