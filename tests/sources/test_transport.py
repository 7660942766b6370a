"""The shim under akshare: limits towards hosts, and what their answers mean."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from standin.market import Market
from standin.server import StandIn
from support.load import in_time

from mystocks_dagster.errors import SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.hosts import HostLimiter, rule_of
from mystocks_dagster.sources.transport import EmptyResponse, RetrySettings, installed
from mystocks_dagster.sources.upstream_responses import UpstreamFault, UpstreamRequest, UpstreamResponse, read_response

LIST = "https://82.push2.eastmoney.com/api/qt/clist/get?pn=1&pz=100&po=1&fs=m:0+t:6&fields=f12,f14&fid=f12"
REPORT = "https://datacenter-web.eastmoney.com/api/data/v1/get?reportName={}&pageSize=500&pageNumber=1&filter=(REPORT_DATE='2024-12-31')"
BALANCE = REPORT.format("RPT_DMSK_FN_BALANCE")
HASTE = RetrySettings(timeout=(1, 0.3), backoff=0.01, gaps=False)


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn(Market.small()) as server:
        yield server


@pytest.fixture
def standin(server: StandIn) -> StandIn:
    server.reset()
    return server


@pytest.fixture
def settings(standin: StandIn, tmp_path: Path) -> Settings:
    return replace(Settings.from_env(tmp_path), upstream=standin.address)


def test_lists_are_asked_of_the_delayed_host_and_histories_are_not(settings: Settings, standin: StandIn) -> None:
    with installed(settings):
        assert requests.get(LIST).json()["data"]["total"] > 0
        with pytest.raises(SourceChanged, match="404"):  # the stand-in has no such page
            requests.get("https://push2his.eastmoney.com/api/qt/stock/kline/get?secid=1.600519")
    assert standin.hosts() == ["push2delay.eastmoney.com", "push2his.eastmoney.com"]


def test_the_shim_is_gone_afterwards_also_after_an_error(settings: Settings, standin: StandIn) -> None:
    original = HTTPAdapter.send
    standin.fault("refused")
    with pytest.raises(SourceChanged), installed(settings):
        requests.get(BALANCE)
    assert HTTPAdapter.send is original


def test_a_page_that_a_function_asks_for_twice_is_requested_once(settings: Settings, standin: StandIn) -> None:
    with installed(settings) as transport:
        first, second = requests.get(BALANCE).json(), requests.get(BALANCE).json()
        assert first == second
        requests.get(BALANCE.replace("pageSize=500", "pageSize=400"))
    assert (len(standin.asked), len(transport.responses)) == (2, 2)


def test_a_host_that_breaks_off_once_is_asked_again(settings: Settings, standin: StandIn) -> None:
    for kind in ("status", "cut", "broken_off", "drop"):
        standin.reset()
        standin.fault(kind, times=1, value=502)
        with installed(settings, HASTE) as transport:
            assert requests.get(BALANCE).json()["code"] == 0, kind
        assert len(standin.asked) == 2, kind
        assert transport.requests == {"datacenter-web.eastmoney.com": 2}


def test_a_host_that_stays_broken_is_asked_three_times_and_named(settings: Settings, standin: StandIn) -> None:
    standin.fault("status", value=503)
    with (
        installed(settings, HASTE),
        pytest.raises(SourceUnavailable, match=r"datacenter-web\.eastmoney\.com .* HTTP 503"),
    ):
        requests.get(BALANCE)
    assert len(standin.asked) == 3


def test_a_call_without_timeout_gets_one(settings: Settings, standin: StandIn) -> None:
    standin.fault("slow", value=2)
    began = time.monotonic()
    with (
        installed(settings, replace(HASTE, attempts=1)),
        pytest.raises(SourceUnavailable, match="did not answer in time"),
    ):
        requests.get(BALANCE)
    assert in_time(time.monotonic() - began, 1.5)


def test_an_unreachable_host_says_so(settings: Settings, standin: StandIn) -> None:
    nobody = replace(settings, upstream="http://127.0.0.1:9")
    with installed(nobody, HASTE), pytest.raises(SourceUnavailable, match=r"cannot be reached .*Check the network"):
        requests.get(BALANCE)


@pytest.mark.parametrize("kind", ["drop", "captcha", "blank", "null"])
def test_after_a_ban_no_process_asks_that_host_for_hours(kind: str, settings: Settings, standin: StandIn) -> None:
    standin.fault(kind)
    with (
        installed(settings, HASTE),
        pytest.raises(SourceUnavailable, match=r"push2delay\.eastmoney\.com .*No requests are sent to it for 6 hours"),
    ):
        requests.get(LIST)
    standin.faults.clear()
    with (
        installed(settings, HASTE),
        pytest.raises(SourceUnavailable, match=r"No requests to .* until 20\d\d-\d\d-\d\d \d\d:\d\d \(Shanghai\)"),
    ):
        requests.get(LIST)
    assert len(standin.asked) == 1
    with installed(settings, HASTE):  # another host is not affected
        assert requests.get(BALANCE).json()["code"] == 0


def test_the_pause_ends(settings: Settings, standin: StandIn) -> None:
    standin.fault("drop", times=1)
    with installed(settings, HASTE), pytest.raises(SourceUnavailable):
        requests.get(LIST)
    (note,) = settings.dagster_home.rglob("eastmoney-push2delay.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"closed_until": time.time() - 1}))
    with installed(settings, HASTE):
        assert requests.get(LIST).json()["rc"] == 0


def test_a_ban_of_a_day_when_the_clock_was_wrong_is_over(
    settings: Settings, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.fault("drop", times=1)
    right = time.time
    with monkeypatch.context() as wrong, installed(settings, HASTE):
        wrong.setattr(time, "time", lambda: right() + 365 * 86400)
        with pytest.raises(SourceUnavailable):
            requests.get(LIST)
    with installed(settings, HASTE):
        assert requests.get(LIST).json()["rc"] == 0


def test_a_later_page_without_data_is_no_ban(settings: Settings, standin: StandIn) -> None:
    standin.fault("null", page=2)
    with installed(settings, HASTE):
        with pytest.raises(SourceUnavailable, match="no page 2"):
            requests.get(LIST.replace("pn=1", "pn=2"))
        assert requests.get(LIST).json()["rc"] == 0


def test_an_empty_report_is_no_failure_and_an_unknown_one_needs_a_person(settings: Settings, standin: StandIn) -> None:
    with installed(settings, HASTE):
        with pytest.raises(EmptyResponse):
            requests.get(BALANCE.replace("2024-12-31", "1999-12-31"))
        with pytest.raises(SourceChanged, match=r"RPT_NOT_EXIST.*9501"):
            requests.get(REPORT.format("RPT_NOT_EXIST"))
    assert len(standin.asked) == 2


def test_recorded_refusals_mean_the_same(shared_data: Path) -> None:
    request = UpstreamRequest.of(BALANCE)
    empty = (shared_data / "fixtures" / "eastmoney_datacenter_empty.json").read_bytes()
    bad = (shared_data / "fixtures" / "eastmoney_datacenter_bad_report.json").read_bytes()
    market = (shared_data / "fixtures" / "eastmoney_clist_whole_market_20230222.json").read_bytes()
    assert isinstance(found := read_response(request, 200, empty), UpstreamFault)
    assert found.meaning == "empty"
    assert isinstance(found := read_response(request, 200, bad), UpstreamFault)
    assert found.meaning == "changed"
    assert isinstance(answer := read_response(UpstreamRequest.of(LIST), 200, market), UpstreamResponse)
    assert answer.total == len(answer.rows) == 5133


@pytest.mark.parametrize(
    ("url", "status", "content", "meaning"),
    [
        (LIST, 403, b"", "banned"),
        (LIST, 404, b"", "changed"),
        (LIST, 200, b"[1]", "changed"),
        (LIST, 200, b'{"rc":0,"data":{"total":"many","diff":[]}}', "changed"),
        ("https://query.sse.com.cn/commonQuery.do", 200, b'{"pageHelp":{"total":3},"result":[{}]}', "changed"),
        ("https://www.szse.cn/api/report/ShowReport", 200, b"<html>", "broken"),
        ("https://www.bse.cn/nqxxController/nqxxCnzq.do", 200, b"busy", "broken"),
        ("https://finance.sina.com.cn/realstock/company/sh1/hisdata_klc2/klc_kl.js", 456, b"", "banned"),
        (
            "https://finance.sina.com.cn/realstock/company/sh1/hisdata_klc2/klc_kl.js",
            200,
            b'var KLC_K2_sh1="";',
            "empty",
        ),
        ("https://finance.sina.com.cn/realstock/company/sh1/hisdata_klc2/klc_kl.js", 200, b"<html>", "broken"),
    ],
)
def test_other_answers_without_data_are_told_apart(url: str, status: int, content: bytes, meaning: str) -> None:
    found = read_response(UpstreamRequest.of(url), status, content)
    assert isinstance(found, UpstreamFault)
    assert found.meaning == meaning


def test_hosts_of_one_upstream_share_their_limits() -> None:
    assert rule_of("82.push2.eastmoney.com").name == rule_of("push2his.eastmoney.com").name
    assert rule_of("push2.eastmoney.com").gap >= 2
    assert rule_of("push2.eastmoney.com").ban >= 6 * 3600
    assert rule_of("notpush2.eastmoney.com").name == "notpush2.eastmoney.com"
    assert rule_of("www.szse.cn").gap == 1


def test_processes_together_keep_the_gap(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mystocks_dagster.sources.hosts import HostLimiter\n"
        f"limiter = HostLimiter(Path({str(tmp_path)!r}))\n"
        "for _ in range(2):\n"
        "    with limiter.turn('www.szse.cn') as turn: print(time.time(), turn.requests_today)\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = sorted(line.split() for process in both for line in process.communicate(timeout=60)[0].splitlines())
    moments = [float(moment) for moment, _ in lines]
    assert all(after - before > 0.99 for before, after in pairwise(moments))
    assert [int(count) for _, count in lines] == [1, 2, 3, 4]


def test_a_torn_note_is_started_anew_and_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "www.szse.cn.json").write_text('{"last": 17')
    with HostLimiter(tmp_path, gaps=False).turn("www.szse.cn") as turn:
        assert turn.requests_today == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"), HostLimiter(tmp_path / "file").turn("www.szse.cn"):
        pass


def test_a_full_disk_is_told_in_a_sentence_and_the_count_of_the_day_stays(tmp_path: Path) -> None:
    limiter = HostLimiter(tmp_path, gaps=False)
    with limiter.turn("www.szse.cn"):
        pass
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, allowed[1]))  # no file may grow, as on a full disk
    try:
        with pytest.raises(SourceUnavailable, match="Free disk space") as told, limiter.turn("www.szse.cn"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert str(tmp_path / "www.szse.cn.json") in str(told.value)
    assert limiter.sent_today("www.szse.cn") == 1
