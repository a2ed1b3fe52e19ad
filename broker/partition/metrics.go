package partition

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a data directory counts.
type metrics struct {
	syncSeconds              prometheus.Histogram
	removed                  prometheus.Counter
	cleanerRuns              prometheus.Counter
	cleanerRead, cleanerKept prometheus.Counter
	uncleanable              prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		syncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "kafka_log_flush_duration_seconds",
			Help:    "Time that one sync of a log took; acknowledgements with acks=all wait for it, so a rise is a slow disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		removed: counter("kafka_log_retention_removed_bytes_total",
			"Bytes of segments removed by retention and DeleteRecords."),
		cleanerRuns: counter("kafka_log_cleaner_runs_total", "Compaction passes that were completed."),
		cleanerRead: counter("kafka_log_cleaner_read_bytes_total", "Bytes that compaction read."),
		cleanerKept: counter("kafka_log_cleaner_written_bytes_total",
			"Bytes that compaction wrote in the place of what it read."),
		uncleanable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kafka_log_cleaner_uncleanable_partitions",
			Help: "Partitions that could not be compacted and will grow until the broker restarts; the log says why.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.syncSeconds, m.removed, m.cleanerRuns, m.cleanerRead, m.cleanerKept, m.uncleanable)
	}
	return m
}
