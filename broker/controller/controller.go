package controller

import (
	"context"
	"sync/atomic"

	"millrace/broker/metadata"
)

// Controller decides and publishes the cluster's metadata on this node. All methods may be called from any
// goroutine while Run runs.
//
// Every command waits until its records are committed, applied, and seen by every subscriber of this node; its error is
// ErrNotController, ErrTimeout (the context ended; the change may still happen) or ErrClosed.
type Controller struct {
	image atomic.Pointer[metadata.Image]
}

// Image returns the newest image that every subscriber has seen.
func (c *Controller) Image() *metadata.Image { return c.image.Load() }

// Subscribe calls f for each change of the image, in order, beginning with the change from an empty image to the
// present one. Calls come from one goroutine, and a command is answered only after f returned for its change: when
// CreateTopics returns, the partitions that f opened are there. f must not call commands. Subscribe before Run.
func (c *Controller) Subscribe(f func(old, next *metadata.Image)) {}

// CreateTopics creates topics, each one atomically, and answers in the order of the request; of topics that are named
// twice one answer refuses all. With validateOnly it checks everything and makes nothing.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]CreatedTopic, error) {
	return nil, nil
}

// DeleteTopics deletes topics with their configs.
func (c *Controller) DeleteTopics(ctx context.Context, topics []TopicRef) ([]DeletedTopic, error) {
	return nil, nil
}

// CreatePartitions adds partitions to topics.
func (c *Controller) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) ([]TopicResult, error) {
	return nil, nil
}

// AlterConfigs replaces all values of resources.
func (c *Controller) AlterConfigs(ctx context.Context, changes []ReplaceConfigs, validateOnly bool) ([]ConfigResult, error) {
	return nil, nil
}

// IncrementalAlterConfigs changes single values of resources.
func (c *Controller) IncrementalAlterConfigs(ctx context.Context, changes []AlterConfigs, validateOnly bool) ([]ConfigResult, error) {
	return nil, nil
}

// AllocateProducerIDs hands out a block of producer ids.
func (c *Controller) AllocateProducerIDs(ctx context.Context) (ProducerIDs, error) {
	return ProducerIDs{}, nil
}

// RegisterBroker registers a broker process and returns its epoch. Its partitions without a leader get one.
func (c *Controller) RegisterBroker(ctx context.Context, r Registration) (epoch int64, err error) {
	return 0, nil
}
