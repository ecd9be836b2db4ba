# 運用管理

accounts-title = アカウント
accounts-hint = 施設の業務利用者のアカウントです。見たこと・変えたことは証跡に残ります。
accounts-empty = この施設には、業務利用者のアカウントがありません。
accounts-count = { $n }件
account-institution = 施設
account-name = 氏名・利用者ID
account-occupation = 職種
account-roles = 役割
account-state = 状態
account-last = 前回のサインイン
account-never = まだなし
account-active = 使用中
account-stopped = 停止中
account-do = 操作
account-stop = 止める
account-resume = 再開する
stop-title = アカウントを止める
stop-text = このアカウントは、すぐに使えなくなります。使用中のサインインも終わります。書いた記録は残ります。
stop-reason-hint = 例：退職。なりすましの疑いがあり調査中。
stop-button = このアカウントを止める
resume-title = アカウントを再開する
resume-text = 止まっているアカウントを、また使えるようにします。本人であることと、止めた理由がなくなったことを確かめてください。
resume-reason-hint = 例：復職。調査が終わり、問題がなかった。
resume-button = このアカウントを再開する
change-reason = 理由
list-comma = 、
