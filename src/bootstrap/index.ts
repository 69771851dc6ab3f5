export { banner } from './banner.js';
export {
  exitOnUnhandledErrors,
  explainFailure,
  prepareProcess,
  type ProcessContext,
  shutDownOnSignals,
} from './process-lifecycle.js';
export { abortOnShutdownSignal } from './shutdown-signals.js';
