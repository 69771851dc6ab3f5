import { securityHeaders } from './security-headers.js';

describe('securityHeaders', () => {
  it('lets pages load what comes from the service itself, and nothing else', () => {
    const headers = securityHeaders({ isProduction: false });
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

  it('asks browsers for HTTPS in production alone', () => {
    expect(securityHeaders({ isProduction: false })).not.toHaveProperty('strict-transport-security');
    expect(securityHeaders({ isProduction: true })['strict-transport-security']).toMatch(/^max-age=\d+/);
  });
});
