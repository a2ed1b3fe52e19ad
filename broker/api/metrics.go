package api

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of the protocol layer.
type metrics struct {
	requests    [maxKey]prometheus.Counter
	produced    prometheus.Counter
	producedErr prometheus.Counter
	bytesIn     prometheus.Counter
	bytesOut    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, table [maxKey]*entry) *metrics {
	m := &metrics{
		produced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_records_in_total",
			Help: "Records appended for producers.",
		}),
		producedErr: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_failed_produce_partitions_total",
			Help: "Partitions of Produce requests that were refused; a rise means that producers send what cannot be stored.",
		}),
		bytesIn: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_bytes_in_total",
			Help: "Bytes of record batches received from producers.",
		}),
		bytesOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kafka_server_bytes_out_total",
			Help: "Bytes of record batches sent to consumers.",
		}),
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kafka_server_requests_total",
		Help: "Requests started, by API.",
	}, []string{"api"})
	for key, e := range table {
		if e != nil {
			m.requests[key] = requests.WithLabelValues(keyName(int16(key)))
		}
	}
	if reg != nil {
		reg.MustRegister(m.produced, m.producedErr, m.bytesIn, m.bytesOut, requests)
	}
	return m
}
