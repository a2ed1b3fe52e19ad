package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"millrace/broker/metadata"
)

// registerMetrics adds what is counted over all parts when it is asked for.
func registerMetrics(reg prometheus.Registerer, p *parts) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("kafka_server_topics", "Topics in the cluster.", func() float64 {
		return float64(p.controller.Image().TopicCount())
	})
	gauge("kafka_server_partitions", "Partitions in the cluster.", func() float64 {
		n := 0
		p.eachPartition(func(*metadata.Topic, int32) { n++ })
		return float64(n)
	})
	gauge("kafka_server_offline_partitions", "Partitions of this broker that are out of service; the log says why.", func() float64 {
		n := p.replicas.Failed()
		p.eachPartition(func(t *metadata.Topic, i int32) {
			if l := p.logs.Get(t.Name, i); l != nil && l.Err() != nil {
				n++
			}
		})
		return float64(n)
	})
	gauge("kafka_coordinator_groups", "Groups that this broker coordinates, those without members included.", func() float64 {
		return float64(p.groups.Groups())
	})
	gauge("kafka_log_size_bytes", "Bytes in the segments of all partitions.", func() float64 {
		var size int64
		p.eachPartition(func(t *metadata.Topic, n int32) {
			if l := p.logs.Get(t.Name, n); l != nil {
				size += l.Size()
			}
		})
		return float64(size)
	})
}

func (p *parts) eachPartition(f func(t *metadata.Topic, n int32)) {
	for t := range p.controller.Image().Topics() {
		for n := range t.Partitions {
			f(t, int32(n))
		}
	}
}
