package clients

import "github.com/twmb/franz-go/pkg/kgo"

// partitioner keeps a record's own partition if it has one (Partition is not negative), else does as Java's producer:
// murmur2 of the key, or one partition until its batch is full.
type partitioner struct{ rest kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	rest := p.rest.ForTopic(topic)
	onNewBatch, _ := rest.(kgo.TopicPartitionerOnNewBatch)
	return &topicPartitioner{rest, onNewBatch}
}

type topicPartitioner struct {
	rest       kgo.TopicPartitioner
	onNewBatch kgo.TopicPartitionerOnNewBatch
}

func (t *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || t.rest.RequiresConsistency(r)
}

func (t *topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition) // a number beyond n fails the record
	}
	return t.rest.Partition(r, n)
}

func (t *topicPartitioner) OnNewBatch() {
	if t.onNewBatch != nil {
		t.onNewBatch.OnNewBatch()
	}
}
