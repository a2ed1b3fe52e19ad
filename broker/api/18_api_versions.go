package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions, versions 0 to 4.
//
//   - any other version is answered in version 0 with UNSUPPORTED_VERSION and this key's range alone (KIP-511)
//   - v3 is flexible and carries the client's software name and version; bad ones are INVALID_REQUEST, the connection
//     stays open
//   - v4 lets supported features begin at 0 (KIP-1022)
//
// No feature is listed until it is served.
func (a *API) apiVersions(_ context.Context, c *Call, req *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 {
		if !validSoftware(req.ClientSoftwareName) || !validSoftware(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp
		}
		c.Client.SoftwareName, c.Client.SoftwareVersion = req.ClientSoftwareName, req.ClientSoftwareVersion
	}
	resp.ApiKeys = a.ranges
	return resp
}

// apiVersionsDowngrade is the answer to a version that is not served.
func (a *API) apiVersionsDowngrade() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	for _, k := range a.ranges {
		if k.ApiKey == int16(kmsg.ApiVersions) {
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp
}

// versionRanges lists the table for ApiVersions.
func (a *API) versionRanges() []kmsg.ApiVersionsResponseApiKey {
	var keys []kmsg.ApiVersionsResponseApiKey
	for key, e := range a.table {
		if e != nil && !e.unlisted {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MinVersion, k.MaxVersion = int16(key), e.min, e.max
			keys = append(keys, k)
		}
	}
	return keys
}

// validSoftware reports whether s is letters, digits, '.' and '-', without a '-' at either end.
func validSoftware(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}
