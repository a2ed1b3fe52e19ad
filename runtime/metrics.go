package runtime

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/sinktask"
	"millrace/runtime/internal/sourcetask"
)

// metrics are a worker's. All of them are bounded by the connectors it runs.
type metrics struct {
	polled, written, dropped            *prometheus.CounterVec
	read, put                           *prometheus.CounterVec
	failures, errors, skipped, retries  *prometheus.CounterVec
	logged, deadLetters, deadLetterFail *prometheus.CounterVec
	commitFailures, restarts            *prometheus.CounterVec
	commitSeconds                       prometheus.Histogram
	rebalances                          *prometheus.CounterVec
	rebalanceSeconds                    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	vec := func(name, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "connect", Name: name, Help: help},
			[]string{"connector", "task"})
		reg.MustRegister(v)
		return v
	}
	m := &metrics{
		polled:         vec("source_records_polled_total", "Records that source tasks gave."),
		written:        vec("source_records_written_total", "Records of source tasks that the log acknowledged."),
		dropped:        vec("source_records_dropped_total", "Records of source tasks that a transform filtered or the error policy skipped."),
		read:           vec("sink_records_read_total", "Records read from the log for sink tasks."),
		put:            vec("sink_records_put_total", "Records that sink tasks took."),
		failures:       vec("record_failures_total", "Records that failed in a transform or converter. A rise means that data and configuration do not fit."),
		errors:         vec("record_errors_total", "Failures of records that ended a task."),
		skipped:        vec("records_skipped_total", "Failed records that errors.tolerance skipped."),
		retries:        vec("record_retries_total", "Operations on records that were tried again."),
		logged:         vec("errors_logged_total", "Failures of records that were written to the log of the worker."),
		deadLetters:    vec("dead_letters_total", "Records written to dead letter queues."),
		deadLetterFail: vec("dead_letter_failures_total", "Records that a dead letter queue refused; their task ends."),
		commitFailures: vec("offset_commit_failures_total", "Commits of offsets that failed and are tried again. A steady rise means duplicates after a restart."),
		restarts:       vec("restarts_total", "Restarts of connectors and tasks that failed, by themselves; of the connector itself where task is empty."),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "connect",
			Name: "offset_commit_seconds", Help: "Time of successful commits of offsets.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
	}
	m.rebalances = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "connect", Name: "rebalances_total",
		Help: "Rounds of the group of workers, by reason. A steady rise means that workers come and go."}, []string{"reason"})
	m.rebalanceSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "connect",
		Name: "rebalance_seconds", Help: "Time of those rounds.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)})
	reg.MustRegister(m.commitSeconds, m.rebalances, m.rebalanceSeconds)
	return m
}

func (m *metrics) source(id TaskID) sourcetask.Counts {
	l := labels(id)
	return sourcetask.Counts{
		Polled: m.polled.With(l), Written: m.written.With(l), Dropped: m.dropped.With(l),
		CommitFailures: m.commitFailures.With(l), CommitSeconds: m.commitSeconds,
	}
}

func (m *metrics) sink(id TaskID) sinktask.Counts {
	l := labels(id)
	return sinktask.Counts{
		Read: m.read.With(l), Put: m.put.With(l), CommitFailures: m.commitFailures.With(l), CommitSeconds: m.commitSeconds,
	}
}

func (m *metrics) pipeline(id TaskID) pipeline.Counts {
	l := labels(id)
	return pipeline.Counts{
		Failures: m.failures.With(l).Inc, Errors: m.errors.With(l).Inc, Skipped: m.skipped.With(l).Inc,
		Retries: m.retries.With(l).Inc, Logged: m.logged.With(l).Inc,
	}
}

// met counts a round of the group.
func (m *metrics) met(reason string, took time.Duration) {
	m.rebalances.WithLabelValues(reason).Inc()
	m.rebalanceSeconds.Observe(took.Seconds())
}

func labels(id TaskID) prometheus.Labels {
	return prometheus.Labels{"connector": id.Connector, "task": strconv.Itoa(id.Task)}
}

// healLabels are those of a task or, for itself, the connector.
func healLabels(connector string, id int) prometheus.Labels {
	if id == itself {
		return prometheus.Labels{"connector": connector, "task": ""}
	}
	return labels(TaskID{connector, id})
}

// forget drops the counters of a connector that is gone.
func (m *metrics) forget(connector string) {
	for _, v := range []*prometheus.CounterVec{
		m.polled, m.written, m.dropped, m.read, m.put, m.failures, m.errors, m.skipped, m.retries, m.logged, m.deadLetters,
		m.deadLetterFail, m.commitFailures, m.restarts,
	} {
		v.DeletePartialMatch(prometheus.Labels{"connector": connector})
	}
}

// states collects connectors and tasks by state when it is asked.
type states struct {
	h              *herder
	connectors, ts *prometheus.Desc
	health         *prometheus.Desc
	records, lag   *prometheus.Desc
}

func newStates(h *herder) *states {
	return &states{
		h:          h,
		connectors: prometheus.NewDesc("millrace_connect_connectors", "Connectors by state.", []string{"state"}, nil),
		ts:         prometheus.NewDesc("millrace_connect_tasks", "Tasks by state.", []string{"state"}, nil),
		health: prometheus.NewDesc("millrace_connect_connector_health", "1 for the health that a connector has: HEALTHY, DEGRADED, STALLED or UNHEALTHY.",
			[]string{"connector", "health"}, nil),
		records: prometheus.NewDesc("millrace_connect_task_records", "Records of a task since it was started, by what became of them; "+
			"read is the sum of the others.", []string{"connector", "task", "became"}, nil),
		lag: prometheus.NewDesc("millrace_connect_sink_task_lag", "Offsets of the log that are known to be beyond what a sink task has.",
			[]string{"connector", "task"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.connectors
	ch <- s.ts
	ch <- s.health
	ch <- s.records
	ch <- s.lag
}

// Collect implements prometheus.Collector.
func (s *states) Collect(ch chan<- prometheus.Metric) {
	if !s.h.isReady() {
		return
	}
	connectors, tasks := map[string]int{}, map[string]int{}
	now := time.Now()
	for _, name := range s.h.configs.Names() {
		if st := s.h.statuses.Connector(name); st != nil {
			connectors[st.State]++
		}
		s.collectHealth(ch, name, now)
		for _, id := range s.h.statuses.Tasks(name) {
			if st := s.h.statuses.Task(name, id); st != nil {
				tasks[st.State]++
			}
		}
	}
	for state, n := range connectors {
		ch <- prometheus.MustNewConstMetric(s.connectors, prometheus.GaugeValue, float64(n), state)
	}
	for state, n := range tasks {
		ch <- prometheus.MustNewConstMetric(s.ts, prometheus.GaugeValue, float64(n), state)
	}
}

func (s *states) collectHealth(ch chan<- prometheus.Metric, name string, now time.Time) {
	status, ok := s.h.status(name)
	if !ok {
		return
	}
	health := s.h.health(status, now)
	ch <- prometheus.MustNewConstMetric(s.health, prometheus.GaugeValue, 1, name, string(health.Health))
	for _, t := range health.Tasks {
		id := strconv.Itoa(t.ID)
		if r := t.Records; r != nil {
			for became, n := range map[string]int64{"read": r.Read, "written": r.Written, "filtered": r.Filtered, "skipped": r.Skipped,
				"dead_lettered": r.DeadLettered, "in_flight": r.InFlight} {
				ch <- prometheus.MustNewConstMetric(s.records, prometheus.GaugeValue, float64(n), name, id, became)
			}
		}
		if t.Lag != nil {
			ch <- prometheus.MustNewConstMetric(s.lag, prometheus.GaugeValue, float64(*t.Lag), name, id)
		}
	}
}
