import { apiHeaders, pageHeaders } from './security-headers.js';

describe('pageHeaders', () => {
  it('allows pages to load only resources of the service itself', () => {
    const headers = pageHeaders({ isProduction: false });
    const policy = headers['content-security-policy']?.split(';') ?? [];
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "frame-ancestors 'self'",
        "object-src 'none'",
      ]),
    );
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(headers).toMatchObject({
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
    });
  });

  it('requires HTTPS only in production', () => {
    expect(pageHeaders({ isProduction: false })).not.toHaveProperty('strict-transport-security');
    expect(pageHeaders({ isProduction: true })['strict-transport-security']).toMatch(/^max-age=\d+/);
  });
});

describe('apiHeaders', () => {
  it('are exactly those that OWASP recommends for REST APIs', () => {
    expect(apiHeaders({ isProduction: false })).toEqual({
      'cache-control': 'no-store',
      'content-security-policy': "frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
  });

  it('require HTTPS only in production', () => {
    expect(apiHeaders({ isProduction: true })['strict-transport-security']).toMatch(/^max-age=\d+/);
  });
});
