import type { LookupAddress } from 'node:dns';
import { isPublicAddress, namesPrivateHost, PrivateAddressError, publicLookup } from './address-guard.js';

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.1.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ])('accepts %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'ff02::1',
    'localhost',
    '',
  ])('rejects %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('namesPrivateHost', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1:8080/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://localhost/',
    'http://LOCALHOST./',
    'http://api.localhost/',
    'http://169.254.169.254/latest/meta-data',
  ])('is true for %s', (url) => {
    expect(namesPrivateHost(new URL(url))).toBe(true);
  });

  it.each([
    'https://example.com/',
    'http://8.8.8.8/',
    'http://[2606:4700::1111]/',
    'http://localhost.example.com/',
  ])('is false for %s', (url) => {
    expect(namesPrivateHost(new URL(url))).toBe(false);
  });
});

describe('publicLookup', () => {
  const resolved = (addresses: LookupAddress[], options: { all?: boolean }): Promise<unknown> =>
    new Promise((resolve, reject) => {
      publicLookup((_hostname, _options, callback) => {
        callback(null, addresses);
      })('bot.example.com', options, (error, address, family) => {
        if (error) reject(error);
        else resolve(options.all ? address : [address, family]);
      });
    });

  const publicOne = { address: '8.8.8.8', family: 4 };
  const privateOne = { address: '10.0.0.1', family: 4 };

  it('returns only public addresses to the socket', async () => {
    expect(await resolved([privateOne, publicOne], { all: true })).toEqual([publicOne]);
    expect(await resolved([privateOne, publicOne], {})).toEqual(['8.8.8.8', 4]);
  });

  it('fails if there is no public address', async () => {
    await expect(resolved([privateOne], { all: true })).rejects.toBeInstanceOf(PrivateAddressError);
    await expect(resolved([], {})).rejects.toBeInstanceOf(PrivateAddressError);
  });

  it('passes on an error of the resolver', async () => {
    const failing = publicLookup((_hostname, _options, callback) => {
      callback(new Error('ENOTFOUND'), []);
    });
    await expect(
      new Promise((_resolve, reject) => {
        failing('x.example.com', {}, (error) => {
          reject(error ?? new Error('no error'));
        });
      }),
    ).rejects.toThrow('ENOTFOUND');
  });
});
