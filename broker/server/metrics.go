package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metrics are the counters of the connections.
type metrics struct {
	connections       prometheus.Gauge
	refused, errors   prometheus.Counter
	bytesIn, bytesOut prometheus.Counter
	duration          *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kafka_server_connections",
			Help: "Connections that are open, in-memory ones included.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_refused_connections_total",
			Help: "Connections closed at once because of max.connections or max.connections.per.ip; a rise means that clients are turned away.",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_bad_connections_total",
			Help: "Connections closed for what the client sent; the log has the reasons.",
		}),
		bytesIn: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_network_in_bytes_total",
			Help: "Bytes of requests read.",
		}),
		bytesOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_network_out_bytes_total",
			Help: "Bytes of answers written.",
		}),
	}
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kafka_network_request_duration_seconds",
		Help: "From a request's arrival to its answer's leaving, by API. Produce with acks=all includes the disk, Fetch and " +
			"JoinGroup what they wait for.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"api"})
	if reg != nil {
		reg.MustRegister(m.connections, m.refused, m.errors, m.bytesIn, m.bytesOut, m.duration)
	}
	return m
}

func (m *metrics) answered(key int16, after time.Duration) {
	m.duration.WithLabelValues(kmsg.NameForKey(key)).Observe(after.Seconds())
}
