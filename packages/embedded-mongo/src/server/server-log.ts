export type ServerLog = (level: 'info' | 'warn' | 'error', message: string, details?: object) => void;
