import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Headers by lowercase name. They depend only on the settings, so they are built once. */
export type Headers = Readonly<Record<string, string>>;

/** Helmet's headers for HTML pages: the admin pages and /docs. */
export function pageHeaders({ isProduction }: { isProduction: boolean }): Headers {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => void (headers[name.toLowerCase()] = value),
    removeHeader: () => undefined,
  };
  const protect = helmet({
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
    strictTransportSecurity: isProduction,
  });
  protect({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw new Error('the security headers could not be built', { cause: error });
  });
  return headers;
}

/**
 * The headers that OWASP's REST Security Cheat Sheet recommends for responses other than HTML, besides the
 * content type. The other headers of pages have no effect on these, and each header costs time.
 */
export function apiHeaders(options: { isProduction: boolean }): Headers {
  const transport = pageHeaders(options)['strict-transport-security'];
  return {
    'cache-control': 'no-store',
    'content-security-policy': "frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(transport !== undefined && { 'strict-transport-security': transport }),
  };
}
