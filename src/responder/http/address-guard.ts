import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ipv4Of, ipv6Groups } from '../../common/index.js';

interface Ranges {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/**
 * All ranges of the IANA special-purpose address registries, multicast and reserved addresses, and addresses
 * that clouds use inside of their networks.
 */
const specialRanges = {
  ipv4: [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.31.196.0/24',
    '192.52.193.0/24',
    '192.88.99.0/24',
    '192.168.0.0/16',
    '192.175.48.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    // The agent and DNS service of Azure.
    '168.63.129.16/32',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  // Includes ranges that embed an IPv4 address, which would otherwise bypass the list above.
  ipv6: [
    '::/96',
    '::ffff:0:0/96',
    '::ffff:0:0:0/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '100::/64',
    '100:0:0:1::/64',
    '2001::/23',
    '2001:db8::/32',
    '2002::/16',
    '2620:4f:8000::/48',
    '3fff::/20',
    '5f00::/16',
    'fc00::/7',
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
} as const satisfies Ranges;

/** Where clouds serve the credentials of a machine. Never allowed: no responder runs there. */
const metadataRanges: Ranges = {
  // Alibaba, Azure and Oracle besides the link-local address, at which the others serve it too.
  ipv4: ['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
  // AWS and Google.
  ipv6: ['fd00:ec2::/32', 'fd20:ce::254/128', 'fe80::/10'],
};

/** Names under which clouds serve it. They may resolve only inside the cloud. */
const metadataNames: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** Top-level domains that are never on the public internet. */
const privateDomains = /(^|\.)(localhost|local|internal|localdomain|home\.arpa)$/;

type Lists = Readonly<Record<keyof Ranges, BlockList>>;

// One list per address family. A combined list would treat an IPv4 address as its IPv4-mapped IPv6 address,
// which is in a blocked range.
function listsOf(ranges: Ranges): Lists {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const family of ['ipv4', 'ipv6'] as const)
    for (const range of ranges[family]) {
      const [network = '', prefix] = range.split('/');
      lists[family].addSubnet(network, Number(prefix), family);
    }
  return lists;
}

const special = listsOf(specialRanges);
const metadata = listsOf(metadataRanges);

function isIn(lists: Lists, address: string): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return lists[family].check(address.split('%', 1)[0] ?? '', family);
}

/**
 * The IPv4 addresses that an IPv6 address stands for: IPv4-mapped, -compatible and -translated addresses,
 * NAT64, 6to4, Teredo and ISATAP.
 */
function embeddedIpv4(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = ipv6Groups(address) ?? [1];
  if (a === 0x2002) return [ipv4Of(b, c)];
  if (a === 0x2001 && b === 0) return [ipv4Of(c, d), ipv4Of(g ^ 0xffff, h ^ 0xffff)];
  const isZero = [a, b, c, d].every((group) => group === 0);
  const hasIpv4 = isZero && [e, f].every((group) => group === 0 || group === 0xffff);
  const isNat64 = a === 0x64 && b === 0xff9b;
  // In any network; the second lowest bit says whether the IPv4 address is unique.
  const isIsatap = (e === 0 || e === 0x200) && f === 0x5efe;
  return hasIpv4 || isNat64 || isIsatap ? [ipv4Of(g, h)] : [];
}

/**
 * Returns false for loopback, private, link-local, reserved and translated addresses, for addresses that embed
 * one, and for text that is not an address.
 */
export const isPublicAddress = (address: string): boolean =>
  isIP(address) !== 0 && ![address, ...embeddedIpv4(address)].some((one) => isIn(special, one));

/** Whether a cloud may serve the credentials of this machine at the address, in whichever form it is written. */
export const isMetadataAddress = (address: string): boolean =>
  isIP(address) !== 0 && [address, ...embeddedIpv4(address)].some((one) => isIn(metadata, one));

/** @param allowPrivate whether addresses that are not public are allowed; those of metadata never are */
export const isAllowedAddress = (address: string, allowPrivate: boolean): boolean =>
  allowPrivate ? isIP(address) !== 0 && !isMetadataAddress(address) : isPublicAddress(address);

function withoutTrailingDots(host: string): string {
  let end = host.length;
  while (host.charAt(end - 1) === '.') end--;
  return host.slice(0, end);
}

/**
 * Whether the URL's host is a literal address or a name that is not allowed. Names that resolve to such an
 * address are refused when connecting; see `guardedLookup`.
 */
export function namesForbiddenHost({ hostname }: URL, allowPrivate: boolean): boolean {
  const host = withoutTrailingDots(hostname.replace(/^\[|\]$/g, '').toLowerCase());
  if (isIP(host) !== 0) return !isAllowedAddress(host, allowPrivate);
  if (metadataNames.has(host)) return true;
  return !allowPrivate && (privateDomains.test(host) || !host.includes('.'));
}

/** The host name has no address that is allowed. */
export class PrivateAddressError extends Error {
  constructor(hostname: string) {
    super(`${hostname} has no address that is allowed`);
    this.name = 'PrivateAddressError';
  }
}

type Resolver = (
  hostname: string,
  options: { all: true; family?: number; hints?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Creates a `lookup` for sockets that returns only addresses that are allowed. The socket connects to what it
 * returns, so a name cannot resolve to one address for the check and to another for the connection. Literal
 * addresses bypass it; see `namesForbiddenHost`.
 */
export const guardedLookup =
  (allowPrivate: boolean, resolve: Resolver = dnsLookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...resolveOptions(options), all: true }, (error, addresses) => {
      if (error) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => isAllowedAddress(address, allowPrivate));
      const [first] = allowed;
      if (!first) callback(new PrivateAddressError(hostname), '', 0);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };

const resolveOptions = ({
  family,
  hints,
}: Parameters<LookupFunction>[1]): { family?: number; hints?: number } => ({
  ...(typeof family === 'number' && { family }),
  ...(hints !== undefined && { hints }),
});
