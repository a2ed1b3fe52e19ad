package replica

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what replication counts.
type metrics struct {
	elections        prometheus.Counter
	shrinks, expands prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, r *Replicas) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		elections: counter("kafka_server_leader_elections_total",
			"Times this broker became leader of a replicated partition; it rises when brokers come and go."),
		shrinks: counter("kafka_server_isr_shrinks_total",
			"Replicas that leaders of this broker took out of an ISR, because they had not caught up for replica.lag.time.max.ms."),
		expands: counter("kafka_server_isr_expands_total", "Replicas that leaders of this broker took into an ISR."),
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.elections, m.shrinks, m.expands)
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("kafka_server_under_replicated_partitions",
		"Partitions led here that lack in-sync replicas: one more failure may make them unavailable.", func() float64 {
			return float64(r.count(func(replicas, isr int, _ bool) bool { return isr < replicas }))
		})
	gauge("kafka_server_under_min_isr_partitions",
		"Partitions led here that have fewer in-sync replicas than min.insync.replicas: producers with acks=all are refused.", func() float64 {
			return float64(r.count(func(_, _ int, short bool) bool { return short }))
		})
	gauge("kafka_server_replica_max_lag_records",
		"Largest number of committed records that a partition copied by this broker is behind its leader.", func() float64 {
			records, _ := r.lag()
			return float64(records)
		})
	gauge("kafka_server_replica_max_lag_seconds",
		"Longest time that a partition copied by this broker has been behind its leader.", func() float64 {
			_, behind := r.lag()
			return behind.Seconds()
		})
	return m
}

func (m *metrics) isrChanged(was, is int) {
	if is < was {
		m.shrinks.Add(float64(was - is))
	} else {
		m.expands.Add(float64(is - was))
	}
}

// count counts the replicated partitions led here that f holds for.
func (r *Replicas) count(f func(replicas, isr int, short bool) bool) int {
	n := 0
	for _, p := range r.leaders() {
		replicas, isr := p.Members()
		if replicas > 0 && f(replicas, isr, p.UnderMinISR()) {
			n++
		}
	}
	return n
}

func (r *Replicas) lag() (records int64, behind time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.fetchers {
		n, d := f.lag(r.cfg.Clock())
		records, behind = max(records, n), max(behind, d)
	}
	return records, behind
}
