// The parts of the API's answers that the console reads (`/openapi.json` describes them whole).

export interface Page<T> { items: T[]; next_cursor: string | null }

export interface Publisher { protocol: string; peer: string | null; client: string; conn: string; connected_s: number }

export interface StreamSummary {
  name: string; app: string; stream: string; state: 'live' | 'interrupted';
  started_at: string | null; uptime_s: number | null; publisher: Publisher | null;
  tracks: { kind: string; codec: string; codec_string: string | null }[];
  bitrate_bps: number; bytes_in: number; bytes_out: number; viewers: number;
  recordings?: number; targets?: number; targets_live?: number;
}

export interface TrackDetail {
  id: number; kind: string; codec: string; codec_string: string | null; unconfigured: string | null;
  width: number | null; height: number | null; frame_rate: number | null; sample_rate: number | null; channels: number | null;
  bitrate_bps: number; rate: number; units: number; bytes: number;
}

export interface HubTarget {
  id: string; url: string; state: string; reason: string | null; retry_in_s: number | null;
  attempts: number; bytes_out: number; skips: number;
}

export interface HubRecording { id: string; state: string; reason: string | null; formats: string[]; bytes: number; duration_s: number; gaps: number; open: string[] }

export interface StreamDetail {
  name: string; app: string; stream: string; state: string;
  interrupted: { since_s: number | null; remaining_s: number | null; reason: string } | null;
  started_at: string | null; uptime_s: number | null; publisher: Publisher | null; tracks: TrackDetail[];
  bitrate_bps: number; bytes_in: number; bytes_out: number; gop_ms: number | null; sessions: number;
  viewers: {
    count: number; most: number; by_protocol: Record<string, number>;
    list: { id: number; protocol: string; peer: string | null; client: string; connected_s: number; bytes_out: number; skips: number; frames_missed: number }[];
  };
  drops: { skips: number; frames_missed: number };
  timing: { restarts: number; gaps: number; backwards: number; max_composition_offset_ms: number; av_offset_ms: number | null };
  hls: { running: boolean; left_out: string[]; segments: number; forced_cuts: number; target_duration_s: number | null };
  targets: HubTarget[]; recordings: HubRecording[];
  urls: { watch: string; hls: string; hls_ts: string; flv: string; ts: string; rtmp: string | null };
}

export type ChannelState = 'pending' | 'starting' | 'live' | 'interrupted' | 'ended' | 'failed' | 'forbidden';

export interface Channel {
  channel_id: string; stream_id: string; stream: string; origin: string; state: ChannelState;
  room_id: string; user_id: string; source: string; name: string; description: string;
  has_password: boolean; audio_only: boolean; protocols: string[];
  urls: { protocol: string; url: string }[];
  created_at: string; started_at: string | null; ended_at: string | null;
  cause: { errcode: number; text: string } | null; etag: string;
}

export interface ChannelDetail extends Channel { recordings: RecordingTask[]; targets: Target[] }

export interface Started extends ChannelDetail { effect: string; warnings: { code: string; detail: string }[] }

/** A source as the control plane knows it. */
export interface Source {
  stream_id: string; stream: string; state: string; room_id: string; user_id: string; source: string;
  is_publishing: boolean; channel_id: string | null; forbidden_until: string | null; forbid_reason: string | null;
}

export interface Target {
  target_id: string; channel_id: string; name: string; url: string; on_fail: string; state: string;
  since: string; last_error: string | null; version: number;
}

export interface RecordingTask {
  recording_id: string; channel_id: string | null; stream_id: string; room_id: string; user_id: string; source: string;
  origin: string; state: string; formats: string[]; media: string; segment_s: number; file_name: string | null;
  created_at: string; start_at: string | null; end_at: string | null; started_at: string | null; ended_at: string | null;
  cause: { errcode: number; text: string } | null;
}

export interface RecordedFile {
  file_id: string; recording_id: string; stream_id: string; room_id: string; user_id: string; name: string;
  format: string; media: string; size: number; duration_ms: number; start_time: string; end_time: string;
  codecs: string[]; width: number | null; height: number | null; sha256: string;
  gaps: { at_ms: number; missing_ms: number; cause: string }[];
  recovered: boolean; deleted_at: string | null; url: string;
}

export interface Event {
  id: string; type: string; timestamp: string; seq: number; room_id: string | null; user_id: string | null;
  channel_id: string | null; stream_id: string | null; data: Record<string, unknown>;
}

export interface Room { room_id: string; type: string; relation_id: number | null; implicit: boolean; created_at: string; closed_at: string | null; etag: string }

export interface Member { user_id: string; joined_at: string; left_at: string | null }

export interface Ingest { protocol: string; url: string | null; server: string | null; stream_key: string; stream: string; expires_at: string }

export interface Webhook {
  webhook_id: string; origin: string; url: string; profile: string; types: string[];
  scope: { app: string | null; app_id: string | null; room_id: string | null };
  ack: string; timeout_s: number; max_age_s: number | null; state: string; disabled_reason: string | null;
  failing_since: string | null; created_at: string; etag: string;
}

export interface Delivery {
  delivery_id: string; webhook_id: string; event_id: string; type: string; state: string; attempts: number;
  first_at: string | null; last_at: string | null; last_status: number | null; last_error: string | null;
  due_at: string | null; created_at: string; ended_at: string | null;
}

export interface DeliveryDetail extends Delivery {
  log: { attempt: number; at: string; took_ms: number; status: number | null; error: string | null; answer: string | null }[];
}

export interface UsageRow {
  start: string; app_id: string; group: string;
  bytes: Record<string, number>; mean_bps: Record<string, number>; peak_bps: Record<string, number>;
  push_seconds: number; record_seconds: Record<string, number>; viewers: number; record_channels: number; channels: number | null;
}

export interface Peaks {
  day: string; traffic_bytes: { down: number; up: number }; peak_bps: { down: number; up: number };
  channels_peak: number; record_channels_peak: number; billing_mode: string; billable: { traffic_gb: number; peak_mbps: number };
}

export interface Server {
  version: string; started_at: string; mode: string; key: { name: string; scopes: string[] }; http: string; rtmp: string | null;
  hls: { enabled: boolean; low_latency: boolean; segment_s: number; part_s: number; segments: number };
  limits: { connections_free: number; body_bytes: number; api_rate: number }; callbacks: boolean; missing: string[];
}

export interface RecordTemplate { name: string; formats: string[]; media: string; segment_s: number; hls_resume_s: number }

export interface Rule { name: string; app_id: string | null; stream_id: string | null; template: string | null; bypass: boolean | null }
