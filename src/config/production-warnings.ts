import type { Settings } from './settings.schema.js';

/**
 * Returns what production permits but an operator should know about; empty outside of production. What is
 * refused is in `loadSettings`.
 */
export function productionWarnings({ service, processing, monitoring, database }: Settings): string[] {
  if (service.NODE_ENV !== 'production') return [];
  const checks: [isRisk: boolean, warning: string][] = [
    [
      service.SECRETS_KEY === undefined,
      "SECRETS_KEY is not set: tenants' secrets are stored without encryption",
    ],
    [service.WRONG_KEYS_PER_MINUTE === 0, 'WRONG_KEYS_PER_MINUTE=0: keys can be guessed without limit'],
    [
      monitoring.METRICS === 'public' && monitoring.METRICS_TOKEN === undefined,
      'METRICS=public: anyone who can reach the port can read /metrics',
    ],
    [service.DOCS === 'public', 'DOCS=public: anyone who can reach the port can read /docs'],
    [
      processing.HTTP_RESPONDER_ALLOW_PRIVATE,
      'HTTP_RESPONDER_ALLOW_PRIVATE=true: tenants can make this service send requests to private addresses',
    ],
    [
      database.EMBEDDED_MONGO_PORT !== undefined && database.MONGODB_URI === undefined,
      'EMBEDDED_MONGO_PORT is set: every user of this machine can read and change the database',
    ],
  ];
  return checks.filter(([isRisk]) => isRisk).map(([, warning]) => warning);
}
