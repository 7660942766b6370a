"""The pages' texts in Chinese and English."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

from mystocks_dagster.taskfile.field_types import EXECUTION_MODES, TASK_TYPES
from mystocks_dagster.taskfile.form import Words, form_fields
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.schedule import Schedule

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

#: Key to Chinese and English. The words of the task file's fields stand at the fields, see `_field_words`.
_WORDS: dict[str, Words] = {
    "tasks": ("任务管理", "Tasks"),
    "new_task": ("新建任务", "New task"),
    "new_group": ("新建任务组", "New group"),
    "edit": ("编辑", "Edit"),
    "delete": ("删除", "Delete"),
    "run": ("运行", "Run"),
    "run_with": ("运行（可改参数）", "Run with other parameters"),
    "stop": ("停止", "Stop"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "params_title": ("参数", "Parameters"),
    "on": ("开", "on"),
    "off": ("关", "off"),
    "turn_on": ("开启", "Turn on"),
    "turn_off": ("关闭", "Turn off"),
    "reset": ("还原", "Reset"),
    "file_says": ("文件：", "file: "),
    "no_switch": ("手动", "by hand"),
    "save": ("保存", "Save"),
    "cancel": ("取消", "Cancel"),
    "search": ("查找", "Find"),
    "search_hint": ("编号、名称或标签", "id, name or tag"),
    "all_types": ("所有类型", "all types"),
    "nothing_found": ("没有符合条件的任务。", "No task fits."),
    "id": ("编号", "Id"),
    "name": ("名称", "Name"),
    "type": ("类型", "Type"),
    "kind_group": ("任务组", "group"),
    "switch": ("开关", "Switch"),
    "next_run": ("下次运行", "Next run"),
    "last_status": ("最近状态", "Last status"),
    "success_rate": ("成功率", "Success rate"),
    "actions": ("操作", "Actions"),
    "groups": ("任务组", "Groups"),
    "broken": ("有错误，未加载", "wrong, not loaded"),
    "last_good_version": (
        "任务文件无法使用，页面和运行沿用上一个正确的版本；改好之前不能在此编辑。",
        "The task file cannot be used: pages and runs go on with its last good version, and nothing can be edited here "
        "until it is right.",
    ),
    "not_loaded": ("Dagster 界面还没有使用已保存的任务文件。", "Dagster's UI does not use the saved task file yet."),
    "reloading": ("Dagster 界面正在加载新版本。", "Dagster's UI is loading it."),
    "broken_file": ("任务文件有错误", "The task file is wrong"),
    "never": ("从未", "never"),
    "trading_days": ("仅交易日", "trading days only"),
    "weekdays": ("周一 周二 周三 周四 周五 周六 周日", "Mon Tue Wed Thu Fri Sat Sun"),
    "not_trading_day": ("非交易日", "no trading day"),
    "settings": ("设置", "Settings"),
    "history": ("执行历史", "History"),
    "statistics": ("统计", "Statistics"),
    "window": ("时间范围", "Window"),
    "window_all": ("全部", "all"),
    "window_7": ("7 天", "7 days"),
    "window_30": ("30 天", "30 days"),
    "total": ("次数", "Executions"),
    "success": ("成功", "Succeeded"),
    "failed": ("失败", "Failed"),
    "avg": ("平均耗时", "Mean duration"),
    "p95": ("95% 耗时", "95th percentile"),
    "status": ("状态", "Status"),
    "start": ("开始", "Start"),
    "duration": ("耗时", "Duration"),
    "remark": ("说明", "Remark"),
    "seconds": ("秒", "s"),
    "attempts": ("重试", "retries"),
    "run_id": ("运行", "Run"),
    "log": ("日志", "log"),
    "cleanup_history": ("清理历史", "clean up"),
    "import_tasks": ("导入", "import"),
    "export_tasks": ("导出", "export"),
    "no_history": ("还没有执行过。", "It has not run yet."),
    "bars": ("最近执行的耗时；颜色表示结果", "Durations of the last executions; the colour is the outcome"),
    "in_dagster": ("在 Dagster 中查看", "In Dagster"),
    "job": ("作业", "job"),
    "runs": ("运行记录", "runs"),
    "asset": ("数据表", "table"),
    "automation": ("调度", "schedule"),
    "no_daemon": (
        "守护进程没有心跳：定时和排队的任务不会开始。刚启动时请等半分钟；"
        "之后请看运行 mystocks ui 的终端，或运行 mystocks health。",
        "The daemon gives no sign of life: nothing scheduled or queued starts. After a start, wait half a minute; else "
        "see the terminal of mystocks ui, or run: mystocks health.",
    ),
    "no_ui": (
        "Dagster 界面没有运行：定时和排队的任务不会开始。请运行 mystocks ui（或 make ui）。",
        "Dagster's UI does not run: nothing scheduled or queued starts. Run: mystocks ui (or make ui).",
    ),
    "used_by": ("被引用", "Named by"),
    "delete_ask": ("从任务文件中删除 {name}？执行历史会保留。", "Remove {name} from the task file? Its history stays."),
    "delete_used": (
        "以下任务和任务组引用了它；强制删除会同时从中移除（没有其他任务的组也会删除）：",
        "These tasks and groups name it; forcing takes it out of them (a group that has no other task goes too):",
    ),
    "force": ("强制删除，并从上述任务和任务组中移除", "Force: take it out of those too"),
    "only": ("只运行此任务，不先运行它依赖的任务", "Only this one, without what it depends on"),
    "params_hint": ("未改动的参数按任务文件。", "Parameters that you leave as they are come from the task file."),
    "no_params": ("此任务没有参数。", "It takes no parameters."),
    "default_is": ("默认：", "default: "),
    "from_env": ("来自环境变量；留空则不变", "from the environment; empty leaves it as it is"),
    "required": ("必填", "required"),
    "problem_at": ("任务文件没有改动，因为：", "The task file is as it was, because:"),
    "changed_meanwhile": (
        "打开此表单后，文件中的这一项或其默认值已被改动；不同之处在下面标出。再次保存将以此表单为准，覆盖这些改动。",
        "The entry, or the defaults, were changed in the file since this form was opened; the fields that differ say "
        "so below. Saving again replaces what was changed by this form.",
    ),
    "now_in_file": ("文件中现在是：{text}", "Now in the file: {text}"),
    "refused": ("未能完成：", "Not done:"),
    "section_basic": ("基本信息", "What it is"),
    "section_schedule": ("调度策略", "When it runs"),
    "section_advanced": ("高级选项", "Limits and failures"),
    "none": ("无", "none"),
    "file": ("任务文件", "Task file"),
    "version": ("版本", "version"),
    "api_docs": ("接口文档", "API"),
    "to_content": ("跳到内容", "Skip to content"),
    # What was done, after a redirect.
    "said_created": ("已新建。", "Created."),
    "said_saved": ("已保存。", "Saved."),
    "said_deleted": ("已删除。", "Deleted."),
    "said_same": ("没有改动。", "Nothing was changed."),
    "said_started": ("已开始：", "Started:"),
    "said_stopped": ("已停止。", "Stopped."),
    "said_on": ("已开启。", "Turned on."),
    "said_off": ("已关闭。", "Turned off."),
    "said_reset": ("已还原为文件中的设置。", "Back to what the file says."),
    "said_unloaded": (
        "已保存，但界面还没有加载新版本：运行 mystocks reload 可看到原因。",
        "Saved, but the UI does not use it yet; mystocks reload says why.",
    ),
    # States of executions.
    "state_pending": ("等待", "pending"),
    "state_running": ("运行中", "running"),
    "state_success": ("成功", "success"),
    "state_partial_success": ("部分成功", "partly"),
    "state_failed": ("失败", "failed"),
    "state_skipped": ("跳过", "skipped"),
    "state_cancelled": ("已取消", "cancelled"),
    "state_paused": ("暂停", "paused"),
}

Translate = Callable[..., str]


@cache
def _field_words() -> Mapping[str, Words]:
    """Return the words of the task file's fields: labels under their names, and those of task types and orders too."""
    words: dict[str, Words] = {**TASK_TYPES, **EXECUTION_MODES, "group_tasks": form_fields(Group)["tasks"].label}
    for prefix, model in (("schedule.", Schedule), ("", Group), ("", Task)):
        for name, field in form_fields(model).items():
            words[f"{prefix}{name}"] = field.label
    return words


def translator(language: Language) -> Translate:
    """Return a function from a key, or a text in both languages, to text; a key without text stands for itself."""
    column = LANGUAGES.index(language)

    def say(key: str | Words, **values: str) -> str:
        words = key if isinstance(key, tuple) else _WORDS.get(key) or _field_words().get(key, (key, key))
        text = words[column]
        return text.format(**values) if values else text

    return say


def choose(asked: str | None, remembered: str | None, accepted: str) -> Language:
    """Return the language to speak: the one asked for, else the remembered one, else the browser's, else Chinese.

    Examples:
        >>> choose(None, None, "en-GB,en;q=0.9,zh;q=0.8")
        'en'
        >>> choose(None, None, "de, zh-CN;q=0.5")
        'zh'
    """
    for wish in (asked, remembered):
        if wish in ("zh", "en"):
            return "zh" if wish == "zh" else "en"
    for part in sorted(accepted.split(","), key=_weight, reverse=True):
        name = part.strip().lower()
        if name.startswith(("zh", "en")) and _weight(part) > 0:
            return "zh" if name.startswith("zh") else "en"
    return "zh"


def _weight(part: str) -> float:
    _, _, weight = part.partition(";q=")
    try:
        return float(weight) if weight else 1.0
    except ValueError:
        return 0.0
