/** The text of the metrics. This module loads prom-client: import it only if metrics are served. */
import { Counter, Gauge, Histogram, Registry, type RegistryContentType } from "prom-client"
import { HISTOGRAMS, type HistogramMetric, infoMetric, METRICS, type Metric } from "./metrics.ts"
import type { Snapshot } from "./snapshot.ts"
import type { Stats } from "./stats.ts"

export type MetricsFormat = "prometheus" | "openmetrics"

export interface Exposition {
  readonly contentType: string
  /** The text of one scrape, from one snapshot. */
  render(): Promise<string>
}

/**
 * Histograms contain what is observed from now on: call before mining begins. Each format needs a dedicated registry,
 * because prom-client renames counters for OpenMetrics in place.
 */
export function createExposition(stats: Stats, format: MetricsFormat): Exposition {
  const contentType = format === "openmetrics" ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE
  const registry = new Registry<RegistryContentType>()
  registry.setContentType(contentType)
  let snapshot = stats.snapshot()
  for (const metric of [infoMetric(snapshot.labels), ...METRICS]) register(metric, registry, () => snapshot)
  for (const histogram of HISTOGRAMS) observe(histogram, registry, stats)
  return {
    contentType,
    render() {
      snapshot = stats.snapshot()
      return registry.metrics()
    },
  }
}

function register(metric: Metric, registry: Registry<RegistryContentType>, snapshot: () => Snapshot): void {
  const { type, name, help, labels } = metric
  const common = { name, help, labelNames: [...labels], registers: [registry] }
  const series = () =>
    metric.read(snapshot()).flatMap(([values, value]) => {
      const named = Object.fromEntries(labels.map((label, i) => [label, values[i]!]))
      return value === undefined ? [] : [[named, value] as const]
    })
  if (type === "counter") {
    new Counter({
      ...common,
      collect() {
        this.reset()
        for (const [named, value] of series()) this.inc(named, value)
      },
    })
  } else {
    new Gauge({
      ...common,
      collect() {
        this.reset()
        // `reset` sets an unlabelled gauge to zero, but an unknown value must be absent.
        if (labels.length === 0) this.remove()
        for (const [named, value] of series()) this.set(named, value)
      },
    })
  }
}

function observe(
  { name, help, quantity, buckets }: HistogramMetric,
  registry: Registry<RegistryContentType>,
  stats: Stats,
): void {
  const histogram = new Histogram({ name, help, buckets: [...buckets], registers: [registry] })
  stats.observe(quantity, value => histogram.observe(value))
}
