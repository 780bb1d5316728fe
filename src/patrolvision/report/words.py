"""The words of a period's report, in English and Chinese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]

TITLES = {
    "day": ("Daily report", "日报"),
    "week": ("Weekly report", "周报"),
    "month": ("Monthly report", "月报"),
    "year": ("Yearly report", "年报"),
}
KINDS = {
    "category": ("By category", "按类别"),
    "responsible_grid": ("By responsible grid", "按责任网格"),
    "segment": ("By road segment", "按路段"),
    "crew": ("By crew", "按处置队伍"),
    "contractor": ("By contractor", "按承包单位"),
    "unit_grid": ("By unit grid", "按单元网格"),
}
WORDS = {
    "found": ("Found", "发现"),
    "filed": ("Filed", "立案"),
    "solved": ("Solved", "结案"),
    "open_at_end": ("Open", "未结"),
    "overdue_at_end": ("Overdue", "超期"),
    "false_alarms": ("False alarms", "误报"),
    "duplicates": ("Duplicates", "重复"),
    "declined": ("Declined", "不予立案"),
    "reopened": ("Reopened", "重开"),
    "sent_back": ("Sent back", "退回"),
    "completion_rate": ("Completion", "结案率"),
    "in_time_rate": ("In time", "按时率"),
    "false_rate": ("False alarm rate", "误报率"),
    "median_dispatch_h": ("To dispatch, median", "派遣用时中位数"),
    "median_solve_h": ("To solve, median", "结案用时中位数"),
    "found_per_km": ("Found per km", "每公里发现"),
    "km_observed": ("Observed", "巡查里程"),
    "score": ("Score", "得分"),
    "name": ("", "名称"),
    "hot_spots": ("Hot spots", "高发点位"),
    "hot_spots_note": ("Three times or more within 30 days", "30 天内出现三次及以上"),
    "ledger": ("Places that came back within a year", "一年内重复发生点位"),
    "false_by_cause": ("False alarms by cause", "误报原因"),
    "cause": ("Cause", "原因"),
    "count": ("Number", "数量"),
    "category": ("Category", "类别"),
    "times": ("Times", "次数"),
    "place": ("Place", "位置"),
    "grid": ("Grid · segment", "网格 · 路段"),
    "last_found": ("Last found", "最近发现"),
    "nothing": ("Nothing happened in this period.", "本期无事件。"),
    "running": ("still running, as of {at}", "本期尚未结束，截至 {at}"),
    "all_shown": ("{shown} of {all} rows are shown; the table has them all.",
                  "仅显示 {all} 行中的 {shown} 行，完整数据见表格。"),
    "definitions": ("How the figures are reckoned", "指标说明"),
    "hour": ("hour of the day", "时"),
    "not stated": ("not stated", "未注明"),
    "urgent_rules": ("Rules", "规则版本"),
}  # fmt: skip
DEFINITIONS = (
    ("Found: tickets raised in the period. Solved: closed in the period and still closed at its "
     "end. Open, overdue: at the period's end.",
     "发现：本期受理的工单。结案：本期结案且期末仍为结案状态。未结、超期：以期末为准。"),
    ("Completion: solved, of solved and still open. In time: of the solved with a deadline, those "
     "the crew had handled by then.",
     "结案率：结案数 ÷（结案数 + 期末未结数）。按时率：有时限的结案工单中按时处置的比例。"),
    ("False alarm rate: rejected as false, of all that was filed or rejected. Median times run "
     "from filing.",
     "误报率：判为误报数 ÷（立案数 + 误报数）。用时中位数自立案起算。"),
    ("Found per km: for each kilometre that patrols observed there. Everything is reckoned from "
     "the histories as they stood at the period's end.",
     "每公里发现：按巡查车辆实际巡查里程计。所有指标按期末时刻的历史记录计算。"),
)  # fmt: skip


def word(key: str, language: Language) -> str:
    """A word of the report; the key itself if there is none."""
    pair = WORDS.get(key) or KINDS.get(key) or TITLES.get(key)
    return key if pair is None else pair[language == "zh"]
