package broker_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"millrace/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame puts its size before a request's bytes.
func frame(b ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// request is a frame of the given key and version with a null client id.
func request(key, version int16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 1, 0xff, 0xff)
	return frame(append(b, body...)...)
}

func TestBadBytesCloseTheConnection(t *testing.T) {
	c := brokertest.Start(t)
	for name, in := range map[string][]byte{
		"size 0":                    {0, 0, 0, 0},
		"negative size":             {0xff, 0xff, 0xff, 0xff},
		"size over 100 MiB":         {0x06, 0x40, 0x00, 0x01},
		"HTTP":                      []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS hello":                 {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc},
		"frame of one byte":         frame(1),
		"header cut":                frame(0, 3, 0, 1, 0, 0),
		"client id too long":        frame(0, 3, 0, 1, 0, 0, 0, 1, 0, 9, 'x'),
		"unknown key":               request(999, 0),
		"negative key":              request(-1, 0),
		"inter-broker key":          request(int16(kmsg.LeaderAndISR), 0),
		"Produce 0":                 request(0, 0),
		"Produce 2":                 request(0, 2),
		"Fetch below the floor":     request(1, 3),
		"Fetch above the ceiling":   request(1, 19),
		"Metadata 99":               request(3, 99),
		"body missing":              request(3, 1),
		"body cut":                  request(3, 1, 0, 0, 0, 1, 0, 5, 'a'),
		"array of 2^31-1":           request(3, 1, 0x7f, 0xff, 0xff, 0xff),
		"null where it may not be":  request(2, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0),
		"tag longer than the frame": request(3, 9, 0, 0, 1, 1, 1, 1, 0x7f),
		"EndTxn, not served":        request(26, 0),
	} {
		t.Run(name, func(t *testing.T) {
			conn := c.Dial()
			conn.SendBytes(in)
			conn.WantClosed()
		})
	}
	// The broker is well.
	c.Dial().Request(kmsg.NewPtrMetadataRequest())
}

func TestOddBytesAreAnswered(t *testing.T) {
	c := brokertest.Start(t)
	metadata := func(body ...byte) []byte { return request(3, 1, body...) }
	for name, in := range map[string][]byte{
		"bytes after the body":              metadata(0, 0, 0, 0, 1, 2, 3),
		"array length -2 where null may be": metadata(0xff, 0xff, 0xff, 0xfe),
		"client id length -2":               frame(0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe, 0, 0, 0, 0),
		"a name that is not UTF-8":          metadata(0, 0, 0, 1, 0, 1, 0xff),
		"unknown tags in header and body":   frame(0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 1, 99, 1, 'x', 1, 1, 1, 1, 1, 88, 2, 'y', 'z'),
		"a frame that comes byte by byte":   metadata(0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			conn := c.Dial()
			for i := range in {
				conn.SendBytes(in[i : i+1])
			}
			if got := conn.ReceiveFrame(); binary.BigEndian.Uint32(got) != 1 {
				t.Errorf("correlation id %x", got[:4])
			}
		})
	}
}

func TestHalfCloseLosesTheRequest(t *testing.T) {
	c := brokertest.Start(t)
	conn := c.Dial()
	conn.SendBytes([]byte{0, 0, 0, 20, 0, 3})
	if err := conn.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	conn.WantClosed()
}

func TestAnswersKeepTheOrderOfRequests(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	conn := c.Dial()
	slow := kmsg.NewPtrFetchRequest()
	slow.Version, slow.MinBytes, slow.MaxWaitMillis, slow.MaxBytes = 12, 1, 300, 1000
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "t"
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 1000
	topic.Partitions = append(topic.Partitions, part)
	slow.Topics = append(slow.Topics, topic)
	began := time.Now()
	conn.Send(slow)
	versions := kmsg.NewPtrApiVersionsRequest()
	for range 20 {
		conn.Send(versions)
	}
	conn.Receive(slow, 1)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("the fetch took %v", took)
	}
	for n := range int32(20) {
		conn.Receive(versions, 2+n)
	}
}

func TestApiVersions(t *testing.T) {
	c := brokertest.Start(t)

	t.Run("an unknown version is answered in version 0 with one key", func(t *testing.T) {
		for _, version := range []int16{99, -1} {
			conn := c.Dial()
			conn.SendBytes(request(18, version))
			b := conn.ReceiveFrame()
			resp := kmsg.NewPtrApiVersionsResponse()
			if err := resp.ReadFrom(b[4:]); err != nil {
				t.Fatal(err)
			}
			if resp.ErrorCode != 35 || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
				t.Errorf("version %d: %+v", version, resp)
			}
			conn.SendBytes(request(18, 0)) // it goes on
			conn.ReceiveFrame()
		}
	})

	t.Run("software names", func(t *testing.T) {
		conn := c.Dial()
		for name, want := range map[string]int16{
			"franz-go": 0, "a.b-c": 0, "": 42, "a b": 42, "a/b": 42, "a_b": 42, "ü": 42, "-a": 42, "a-": 42,
		} {
			req := kmsg.NewPtrApiVersionsRequest()
			req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, name, "1.0"
			resp := conn.Request(req).(*kmsg.ApiVersionsResponse)
			if resp.ErrorCode != want || (len(resp.ApiKeys) > 0) != (want == 0) || resp.FinalizedFeaturesEpoch != -1 {
				t.Errorf("name %q: %+v", name, resp)
			}
		}
	})
}

func TestTelemetryIsAnsweredButNotAdvertised(t *testing.T) {
	conn := brokertest.Start(t).Dial()
	for _, k := range conn.Request(kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse).ApiKeys {
		if k.ApiKey == 71 || k.ApiKey == 72 {
			t.Errorf("key %d is advertised", k.ApiKey)
		}
	}
	sub := conn.Request(kmsg.NewPtrGetTelemetrySubscriptionsRequest()).(*kmsg.GetTelemetrySubscriptionsResponse)
	if sub.ErrorCode != 0 || sub.ClientInstanceID == [16]byte{} || sub.PushIntervalMillis != 60_000 ||
		!slices.Equal(sub.AcceptedCompressionTypes, []int8{1, 2, 3, 4}) || len(sub.RequestedMetrics) != 0 {
		t.Errorf("subscription %+v", sub)
	}
	again := kmsg.NewPtrGetTelemetrySubscriptionsRequest()
	again.ClientInstanceID = sub.ClientInstanceID
	if resp := conn.Request(again).(*kmsg.GetTelemetrySubscriptionsResponse); resp.ClientInstanceID != sub.ClientInstanceID {
		t.Errorf("the client's instance id was changed")
	}
	if resp := conn.Request(kmsg.NewPtrPushTelemetryRequest()).(*kmsg.PushTelemetryResponse); resp.ErrorCode != 42 {
		t.Errorf("push: %d, want 42", resp.ErrorCode)
	}
}

// TestEveryVersion sends an empty request of each advertised API in each version and decodes the answer.
func TestEveryVersion(t *testing.T) {
	c := brokertest.Start(t)
	versions := c.Dial().Request(kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse)
	if len(versions.ApiKeys) < 17 {
		t.Fatalf("%d APIs are advertised", len(versions.ApiKeys))
	}
	for _, dial := range []func() *brokertest.Conn{c.Dial, c.DialMemory} {
		conn := dial()
		for _, k := range versions.ApiKeys {
			for v := k.MinVersion; v <= k.MaxVersion; v++ {
				if k.ApiKey == int16(kmsg.Produce) && v < 3 {
					continue
				}
				req := kmsg.RequestForKey(k.ApiKey)
				req.SetVersion(v)
				if d, ok := req.(interface{ Default() }); ok {
					d.Default()
				}
				switch r := req.(type) {
				case *kmsg.ApiVersionsRequest:
					r.ClientSoftwareName, r.ClientSoftwareVersion = "test", "1"
				case *kmsg.ProduceRequest:
					r.Acks = -1
				}
				t.Run(fmt.Sprintf("%s %d over %s", kmsg.NameForKey(k.ApiKey), v, conn.RemoteAddr().Network()), func(t *testing.T) {
					conn.Request(req)
				})
			}
		}
	}
}
