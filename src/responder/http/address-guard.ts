import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Ranges that are not on the public internet, from the IANA special-purpose address registries. */
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
    '192.88.99.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  // Includes ranges that embed an IPv4 address, which would otherwise bypass the list above.
  ipv6: [
    '::/96',
    '::ffff:0:0/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/23',
    '2001:db8::/32',
    '2002::/16',
    '3fff::/20',
    '5f00::/16',
    'fc00::/7',
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
} as const;

// One list per address family. A combined list would treat an IPv4 address as its IPv4-mapped IPv6 address,
// which is in a blocked range.
const special = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const family of ['ipv4', 'ipv6'] as const)
  for (const range of specialRanges[family]) {
    const [network = '', prefix] = range.split('/');
    special[family].addSubnet(network, Number(prefix), family);
  }

/**
 * Returns false for loopback, private, link-local, reserved and translated addresses, and for text that is
 * not an address.
 */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 6 ? 'ipv6' : 'ipv4';
  return !special[family].check(address, family);
}

/** Whether the URL's host is a literal address that is not public, or a name of this machine. */
export function namesPrivateHost({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host) !== 0) return !isPublicAddress(host);
  return host === 'localhost' || host.endsWith('.localhost');
}

/** The host name has no public address. */
export class PrivateAddressError extends Error {
  constructor(hostname: string) {
    super(`${hostname} has no public address`);
    this.name = 'PrivateAddressError';
  }
}

type Resolver = (
  hostname: string,
  options: { all: true; family?: number; hints?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Creates a `lookup` for sockets that returns only public addresses. The socket connects to what it returns,
 * so a name cannot resolve to one address for the check and to another for the connection. Literal addresses
 * bypass it; see `namesPrivateHost`.
 */
export const publicLookup =
  (resolve: Resolver = dnsLookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...resolveOptions(options), all: true }, (error, addresses) => {
      if (error) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => isPublicAddress(address));
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
