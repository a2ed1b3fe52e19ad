package server

import "github.com/prometheus/client_golang/prometheus"

// metrics are the counters of the connections.
type metrics struct {
	connections       prometheus.Gauge
	refused, errors   prometheus.Counter
	bytesIn, bytesOut prometheus.Counter
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
	if reg != nil {
		reg.MustRegister(m.connections, m.refused, m.errors, m.bytesIn, m.bytesOut)
	}
	return m
}
