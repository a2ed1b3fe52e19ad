package controller

import (
	"context"
	"fmt"

	"millrace/broker/metadata"
)

// do hands a command to Run and waits for its answer.
func (c *Controller) do(ctx context.Context, cmd *command) error {
	cmd.answer = make(chan error, 1)
	select {
	case c.commands <- cmd:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
	case <-c.done:
		return ErrClosed
	}
	select {
	case err := <-cmd.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
	}
}

// call runs a command whose decision has a result.
func call[R any](ctx context.Context, c *Controller, validateOnly bool, decide func(d *decider, im *metadata.Image) (R, []metadata.Record)) (R, error) {
	var result R
	err := c.do(ctx, &command{decide: func(d *decider, im *metadata.Image) []metadata.Record {
		var records []metadata.Record
		result, records = decide(d, im)
		if validateOnly {
			return nil
		}
		return records
	}})
	if err != nil {
		var zero R
		return zero, err // after a timeout result may still be written to
	}
	return result, nil
}

// callOrRefuse is call for a decision that may be an error as a whole.
func callOrRefuse[R any](ctx context.Context, c *Controller, decide func(d *decider, im *metadata.Image) (R, []metadata.Record, error)) (R, error) {
	var result R
	cmd := &command{}
	cmd.decide = func(d *decider, im *metadata.Image) (records []metadata.Record) {
		result, records, cmd.refusal = decide(d, im)
		return records
	}
	if err := c.do(ctx, cmd); err != nil {
		var zero R
		return zero, err
	}
	return result, nil
}

// CreateTopics creates topics, each one atomically, and answers in the order of the request; of topics that are named
// twice one answer refuses all. With validateOnly it checks everything and makes nothing.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]CreatedTopic, error) {
	return call(ctx, c, validateOnly, func(d *decider, im *metadata.Image) ([]CreatedTopic, []metadata.Record) {
		return d.createTopics(im, topics)
	})
}

// DeleteTopics deletes topics with their configs.
func (c *Controller) DeleteTopics(ctx context.Context, topics []TopicRef) ([]DeletedTopic, error) {
	return call(ctx, c, false, func(d *decider, im *metadata.Image) ([]DeletedTopic, []metadata.Record) {
		return d.deleteTopics(im, topics)
	})
}

// CreatePartitions adds partitions to topics.
func (c *Controller) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) ([]TopicResult, error) {
	return call(ctx, c, validateOnly, func(d *decider, im *metadata.Image) ([]TopicResult, []metadata.Record) {
		return d.createPartitions(im, topics)
	})
}

// AlterConfigs replaces all values of resources.
func (c *Controller) AlterConfigs(ctx context.Context, changes []ReplaceConfigs, validateOnly bool) ([]ConfigResult, error) {
	return call(ctx, c, validateOnly, func(d *decider, im *metadata.Image) ([]ConfigResult, []metadata.Record) {
		return d.replaceConfigs(im, changes)
	})
}

// IncrementalAlterConfigs changes single values of resources.
func (c *Controller) IncrementalAlterConfigs(ctx context.Context, changes []AlterConfigs, validateOnly bool) ([]ConfigResult, error) {
	return call(ctx, c, validateOnly, func(d *decider, im *metadata.Image) ([]ConfigResult, []metadata.Record) {
		return d.alterConfigs(im, changes)
	})
}

// AllocateProducerIDs hands out a block of producer ids.
func (c *Controller) AllocateProducerIDs(ctx context.Context) (ProducerIDs, error) {
	return call(ctx, c, false, func(d *decider, im *metadata.Image) (ProducerIDs, []metadata.Record) {
		return d.allocateProducerIDs(im)
	})
}
