package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/internal/brokerkeys"
	"millrace/broker/metadata"
)

// DescribeConfigs, versions 1 to 4 (KIP-133; v1 synonyms and sources, v3 types and documentation, v4 flexible), for topics
// and brokers. Null keys are all; unknown ones are left out. The broker "" is what is set for all brokers. Values are
// Apache Kafka's, defaults included; secrets are null.
func (a *API) describeConfigs(_ context.Context, _ *Call, req *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	image := a.image()
	for i := range req.Resources {
		r := &req.Resources[i]
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		out.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		configs, err := a.resourceConfigs(image, r)
		if err != nil {
			out.ErrorCode, out.ErrorMessage = errorCode(err), errorMessage(err)
		}
		for _, c := range configs {
			if r.ConfigNames != nil && !slices.Contains(r.ConfigNames, c.Name) {
				continue
			}
			if !req.IncludeSynonyms {
				c.ConfigSynonyms = nil
			}
			if !req.IncludeDocumentation {
				c.Documentation = nil
			}
			out.Configs = append(out.Configs, c)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func (a *API) resourceConfigs(image *metadata.Image, r *kmsg.DescribeConfigsRequestResource) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	refuse := func(kind error, format string, args ...any) error {
		return &metadata.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
	}
	switch metadata.ResourceType(r.ResourceType) {
	case metadata.ResourceTopic:
		if err := metadata.ValidateTopicName(r.ResourceName); err != nil {
			return nil, err
		}
		if image.Topic(r.ResourceName) == nil {
			return nil, &metadata.Error{Kind: metadata.ErrUnknownTopic}
		}
		return a.topicConfigs(image, r.ResourceName), nil
	case metadata.ResourceBroker:
		if r.ResourceName == "" {
			return clusterConfigs(image), nil
		}
		id, err := strconv.ParseInt(r.ResourceName, 10, 32)
		if err != nil {
			return nil, refuse(metadata.ErrInvalidRequest, "Broker id must be an integer, but it is: %s", r.ResourceName)
		}
		if metadata.BrokerID(id) != a.cfg.NodeID {
			return nil, refuse(metadata.ErrInvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s",
				a.cfg.NodeID, r.ResourceName)
		}
		return a.brokerConfigs(image), nil
	}
	return nil, refuse(metadata.ErrInvalidRequest, "Unsupported resource type: %d", r.ResourceType)
}

func (a *API) topicConfigs(image *metadata.Image, topic string) []kmsg.DescribeConfigsResponseResourceConfig {
	entries := metadata.ResolveTopicConfigs(image.Config(metadata.TopicResource(topic)), image.Defaults(a.cfg.NodeID, a.cfg.Static))
	out := make([]kmsg.DescribeConfigsResponseResourceConfig, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		out = append(out, describeConfig(e.Def.Name, e.Value, e.Def.Type, e.Def.Doc, e.Source, e.Synonyms))
	}
	return out
}

func describeConfig(name, value string, typ metadata.ConfigType, doc string, source metadata.ConfigSource, synonyms []metadata.ConfigValue) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.Documentation = name, &value, &doc
	c.Source, c.ConfigType = kmsg.ConfigSource(source), kmsg.ConfigType(typ)
	for i := range synonyms {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Value, s.Source = synonyms[i].Name, &synonyms[i].Value, kmsg.ConfigSource(synonyms[i].Source)
		c.ConfigSynonyms = append(c.ConfigSynonyms, s)
	}
	return c
}

// clusterConfigs are the values set for all brokers.
func clusterConfigs(image *metadata.Image) []kmsg.DescribeConfigsResponseResourceConfig {
	var out []kmsg.DescribeConfigsResponseResourceConfig
	set := image.Config(metadata.ClusterResource)
	for _, k := range brokerkeys.All() {
		if v, ok := set[k.Name]; ok {
			out = append(out, describeConfig(k.Name, v, k.Type, k.Doc, metadata.SourceClusterWide,
				[]metadata.ConfigValue{{Name: k.Name, Value: v, Source: metadata.SourceClusterWide}}))
		}
	}
	return out
}

// brokerConfigs are this broker's keys, from the strongest source each.
func (a *API) brokerConfigs(image *metadata.Image) []kmsg.DescribeConfigsResponseResourceConfig {
	d := image.Defaults(a.cfg.NodeID, a.cfg.Static)
	var out []kmsg.DescribeConfigsResponseResourceConfig
	for _, k := range brokerkeys.All() {
		var synonyms []metadata.ConfigValue
		add := func(values map[string]string, source metadata.ConfigSource) {
			if v, ok := values[k.Name]; ok {
				synonyms = append(synonyms, metadata.ConfigValue{Name: k.Name, Value: v, Source: source})
			}
		}
		add(d.Dynamic, metadata.SourceDynamicBroker)
		add(d.Cluster, metadata.SourceClusterWide)
		add(d.Static, metadata.SourceStaticBroker)
		if k.HasDefault {
			synonyms = append(synonyms, metadata.ConfigValue{Name: k.Name, Value: k.Default, Source: metadata.SourceDefault})
		}
		c := describeConfig(k.Name, "", k.Type, k.Doc, metadata.SourceDefault, synonyms)
		if len(synonyms) > 0 {
			c.Value, c.Source = &synonyms[0].Value, kmsg.ConfigSource(synonyms[0].Source)
		} else {
			c.Value = nil
		}
		c.ReadOnly = !k.Dynamic
		if k.Type == brokerkeys.TypePassword {
			c.IsSensitive, c.Value = true, nil
			for i := range c.ConfigSynonyms {
				c.ConfigSynonyms[i].Value = nil
			}
		}
		out = append(out, c)
	}
	return out
}
